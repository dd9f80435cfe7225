"""Things die; the server, and the next job, live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from server_process import DEADLINE_S, ServerProcess, frames, report, wait_until

from textsegment.segmenter import MaskReady, Progress
from textsegment.testing import ball, phantom
from textsegment.wire.contract import HEALTH_ROUTE
from textsegment.wire.frames import Done, Failed
from textsegment.wire.volumes.codec import wire_volume

NAMES = ["liver", "left kidney", "right kidney"]


@pytest.fixture(scope="module")
def volume():
    return wire_volume(phantom())


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, volume):
    """A server whose engine fails as it is told to; it has the volume."""
    note = tmp_path_factory.mktemp("fragile") / "failures_left"
    note.write_text("0")
    with ServerProcess("made_segmenters:Failing", [{"note": str(note)}]) as process:
        process.put(volume)
        process.note = note
        yield process


def fail(server, kind, times):
    server.note.write_text(f"{times} {kind}")


def good(answer, volume, names=NAMES) -> None:
    """Check a whole answer: every mask once, in its place, and progress that never falls."""
    *events, last = frames(answer, volume)
    masks = [e.mask for e in events if isinstance(e, MaskReady)]
    assert [m.structure for m in masks] == names
    for mask in masks:
        shape = volume.geometry.spatial_shape
        assert np.array_equal(mask.full(shape), ball(mask.structure, volume.geometry))
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert isinstance(last, Done)


def failed(answer, volume) -> str:
    """The code that an answer ends with."""
    *_, last = frames(answer, volume)
    assert isinstance(last, Failed)
    return last.report.code


def test_out_of_memory_ends_the_job_and_nothing_else(fragile, volume):
    """Fault 53."""
    fail(fragile, "memory", times=1)
    workers = fragile.workers()
    assert failed(fragile.post(volume.digest, NAMES), volume) == "out_of_memory"
    good(fragile.post(volume.digest, NAMES), volume)
    assert fragile.workers() == workers


@pytest.mark.parametrize("names", [NAMES, NAMES[:1]])
def test_failing_device_gets_a_new_worker_and_the_job_goes_on(fragile, volume, names):
    """Fault 54."""
    fail(fragile, "device", times=1)
    (worker,) = fragile.workers()
    good(fragile.post(volume.digest, names), volume, names)
    assert fragile.workers() != [worker]


def test_device_that_fails_again_ends_the_job(fragile, volume):
    """Fault 54."""
    fail(fragile, "device", times=2)
    assert failed(fragile.post(volume.digest, NAMES), volume) == "device_unavailable"
    good(fragile.post(volume.digest, NAMES), volume)


def test_worker_that_is_killed_costs_one_job(volume):
    """Fault 55."""
    with ServerProcess(arguments=[{"seconds": 600}]) as server:
        server.put(volume)
        answer = server.post(volume.digest, NAMES)
        events = frames(answer, volume)
        next(events)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        *_, last = events
        assert isinstance(last, Failed)
        assert last.report.code == "engine_lost"
        wait_until(lambda: server.workers() not in ([], [worker]), "a new worker")


def test_next_job_runs_after_a_crash(fragile, volume):
    """Fault 55."""
    fail(fragile, "killed", times=1)
    assert failed(fragile.post(volume.digest, NAMES), volume) == "engine_lost"
    good(fragile.post(volume.digest, NAMES), volume)


def test_worker_that_dies_while_idle_is_not_missed(server, volume):
    """Fault 55."""
    server.put(volume)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: _is_dead(worker), "dead")
    good(server.post(volume.digest, NAMES), volume)


def _is_dead(pid: int) -> bool:
    """Whether all threads of a process have ended; its parent may not have noticed yet."""
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def test_defect_of_the_engine_is_an_internal_error_without_its_text(fragile, volume):
    fail(fragile, "defect", times=1)
    assert failed(fragile.post(volume.digest, NAMES), volume) == "internal"
    good(fragile.post(volume.digest, NAMES), volume)
    (line,) = fragile.events("engine_defect")
    assert line["error"] == "ZeroDivisionError"
    assert line["place"].startswith("made_segmenters:")
    assert "PATIENT" not in fragile.log


def test_job_that_does_not_hear_is_killed(volume):
    arguments = [{"seconds": 600}]
    with ServerProcess("made_segmenters:Deaf", arguments, {"cancel_grace_s": 0.3}) as server:
        server.put(volume)
        answer = server.post(volume.digest, NAMES)
        events = frames(answer, volume)
        next(events)
        (worker,) = server.workers()
        answer.close()
        wait_until(lambda: server.workers() not in ([], [worker]), "a new worker")


def test_volume_is_unknown_after_a_restart(volume):
    """Fault 56."""
    with ServerProcess() as first:
        first.put(volume)
    with ServerProcess() as second:
        answer = second.post(volume.digest, NAMES)
        assert (answer.status_code, report(answer).code) == (404, "volume_unknown")
        second.put(volume)
        good(second.post(volume.digest, NAMES), volume)


def test_engine_that_cannot_start_is_a_typed_error():
    server = ServerProcess("made_segmenters:Unloadable")
    server.end()
    assert not server.announced
    assert server.log.strip().splitlines()[-1].startswith("device_unavailable: There is no such device.")
    assert server.process.returncode == 1


def test_nothing_is_left_of_a_server_that_was_killed(volume):
    with ServerProcess(arguments=[{"seconds": 600}] * 2) as server:
        server.put(volume)
        events = frames(server.post(volume.digest, NAMES), volume)
        next(events)
        workers = [psutil.Process(pid) for pid in server.workers()]
        assert len(workers) == 2
        server.process.kill()
        _, alive = psutil.wait_procs(workers, DEADLINE_S)
        assert not alive
        left = [path for path in server.store.iterdir() if path.is_dir()]
        assert len(left) == 1
        with ServerProcess(store_folder=str(server.store)):
            assert not left[0].exists()
        assert not [path for path in server.store.iterdir() if path.is_dir()]


def test_servers_beside_each_other_leave_their_volumes_alone(volume, tmp_path):
    folder = str(tmp_path / "store")
    with ServerProcess(store_folder=folder) as first:
        first.put(volume)
        with ServerProcess(store_folder=folder) as second:
            second.put(volume)
        good(first.post(volume.digest, NAMES), volume)


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGQUIT])
def test_nothing_is_left_when_the_terminal_goes(volume, sign):
    """sv6: SIGHUP ended the server at once, and left the voxels on the disk."""
    with ServerProcess(arguments=[{"seconds": 0.5}], stop_grace_s=30, start_new_session=True) as server:
        server.put(volume)
        events = frames(server.post(volume.digest, NAMES), volume)
        next(events)
        os.killpg(server.process.pid, sign)  # as a terminal does: to the workers, too
        *_, last = events
        assert isinstance(last, Done)
        assert server.process.wait(DEADLINE_S) == 0
        assert list(server.store.glob("*/")) == []


def test_signal_that_was_switched_off_stays_so(volume):
    """sv6, variant: nohup."""
    command = [sys.executable, "-m", "textsegment", "serve", "--port", "0", "--announce-json"]
    command += ["--stop-with-stdin", "--segmenter", "textsegment.testing:FakeSegmenter"]
    with ServerProcess(command=["nohup", *command]) as server:
        server.process.send_signal(signal.SIGHUP)
        assert server.put(volume).status_code == 201
        assert server.session().get(server.url + HEALTH_ROUTE).status_code == 200


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_stops_when_told_and_lets_a_running_job_finish(volume, sign):
    with ServerProcess(arguments=[{"seconds": 0.5}], stop_grace_s=30) as server:
        server.put(volume)
        running = server.post(volume.digest, NAMES)
        events = frames(running, volume)
        next(events)
        queued = server.post(volume.digest, NAMES)
        queued_frames = frames(queued, volume)
        next(queued_frames)
        server.process.send_signal(sign)
        *_, last = queued_frames
        assert isinstance(last, Failed)
        assert last.report.code == "busy"
        *_, last = events
        assert isinstance(last, Done)
        assert server.process.wait(DEADLINE_S) == 0
        assert list(server.store.glob("*/")) == []


def test_job_that_outlasts_the_grace_gets_a_typed_frame(volume):
    with ServerProcess(arguments=[{"seconds": 600}], stop_grace_s=0.3) as server:
        server.put(volume)
        events = frames(server.post(volume.digest, NAMES), volume)
        next(events)
        server.process.terminate()
        *_, last = events
        assert isinstance(last, Failed)
        assert last.report.code == "engine_lost"
        assert server.process.wait(DEADLINE_S) == 0


def test_second_ctrl_c_does_not_wait_for_jobs(volume):
    with ServerProcess(arguments=[{"seconds": 600}], stop_grace_s=500) as server:
        server.put(volume)
        events = frames(server.post(volume.digest, NAMES), volume)
        next(events)
        queued = frames(server.post(volume.digest, NAMES), volume)
        next(queued)
        tree = server.tree()
        server.process.send_signal(signal.SIGINT)
        *_, last = queued  # the first signal has arrived
        assert isinstance(last, Failed)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(DEADLINE_S) == 0
        # Python's own helper process ends a moment after the server.
        wait_until(lambda: all(_is_dead(process.pid) for process in tree), "dead")


def test_stops_with_its_parent(volume):
    with ServerProcess(arguments=[{"seconds": 600}]) as server:
        tree = server.tree()
        server.process.stdin.close()
        _, alive = psutil.wait_procs(tree, DEADLINE_S)
        assert not alive
        assert list(server.store.glob("*/")) == []


def test_answers_health_while_it_computes(volume):
    with ServerProcess(arguments=[{"seconds": 600}]) as server:
        server.put(volume)
        events = frames(server.post(volume.digest, NAMES), volume)
        next(events)
        assert server.session().get(server.url + HEALTH_ROUTE).status_code == 200


def test_worker_that_answers_when_its_server_is_gone_ends_without_a_word():
    """Fault 56: whether it notices by reading or by writing."""
    program = (
        "from multiprocessing import Pipe; from textsegment.segmenter import Progress;"
        "from textsegment.server.engines.worker import _Worker;"
        "ours, theirs = Pipe(); theirs.close(); _Worker(ours, None)._send(Progress(0.5, 'encoding'))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
