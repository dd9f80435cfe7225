"""Workers that hang or have died are found, whether they have a job or not; sv6 in all of them."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from server_process import ServerProcess, frames, report, wait_until

from textsegment.testing import phantom
from textsegment.wire.contract import HEALTH_ROUTE, READY_ROUTE
from textsegment.wire.frames import Done, Failed
from textsegment.wire.volumes.codec import wire_volume

NAMES = ["liver", "left kidney", "right kidney"]


@pytest.fixture(scope="module")
def volume():
    return wire_volume(phantom())


@pytest.fixture
def note(tmp_path):
    return tmp_path / "jobs_that_hang"


def is_ready(server) -> bool:
    status = server.session("").get(server.url + READY_ROUTE).status_code
    assert status in (200, 503)
    return bool(status == 200)


def last_frame(answer, volume):
    *_, last = frames(answer, volume)
    return last


def test_job_that_hangs_ends_with_an_error_and_the_next_one_runs(note, volume):
    """sv6: a hung worker was healthy for an hour; /readyz says what /healthz cannot."""
    note.write_text("1")
    engine = {"silence_s": 2.0, "ping_s": 0.2}
    with ServerProcess("made_segmenters:Hanging", [{"note": str(note)}], engine) as server:
        assert is_ready(server)
        server.put(volume)
        answer = server.post(volume.digest, NAMES)
        wait_until(lambda: not is_ready(server), "the silence is noticed")
        assert server.session("").get(server.url + HEALTH_ROUTE).status_code == 200
        last = last_frame(answer, volume)
        assert isinstance(last, Failed)
        assert last.report.code == "engine_lost"
        wait_until(lambda: is_ready(server), "another worker is there")
        assert isinstance(last_frame(server.post(volume.digest, NAMES), volume), Done)
        assert [line["was"] for line in server.events("engine_hung")] == ["computing"]


def test_job_that_is_slow_but_says_so_is_left_alone(volume):
    """sv6, variant: what counts is silence, not time."""
    with ServerProcess(arguments=[{"seconds": 0.7}], engine={"silence_s": 1.5}) as server:
        server.put(volume)
        assert isinstance(last_frame(server.post(volume.digest, NAMES), volume), Done)
        assert not server.events("engine_hung")


@pytest.mark.parametrize("sign", [signal.SIGSTOP, signal.SIGKILL])
def test_idle_worker_that_hangs_or_has_died_is_replaced(volume, sign):
    """sv6, variant: nobody has to ask for a job first."""
    with ServerProcess(engine={"ping_s": 0.5}) as server:
        (before,) = server.workers()
        os.kill(before, sign)
        wait_until(lambda: server.workers() and before not in server.workers(), "another worker is there")
        wait_until(lambda: is_ready(server), "it is loaded")
        server.put(volume)
        assert isinstance(last_frame(server.post(volume.digest, NAMES), volume), Done)


def test_server_that_cannot_store_is_not_ready(tmp_path):
    folder = tmp_path / "store"
    with ServerProcess(store_folder=str(folder)) as server:
        assert is_ready(server)
        shutil.rmtree(folder)
        assert is_ready(server)  # it would be made again
        folder.write_text("a file")
        folder.chmod(0o600)
        answer = server.session().get(server.url + READY_ROUTE)
        assert (answer.status_code, report(answer).code) == (507, "storage_failed")
        folder.unlink()


@pytest.mark.parametrize("kind", ["numpy", "python"])
def test_memory_that_is_refused_is_no_defect(volume, kind):
    """sv6: refused CPU memory was ``internal``."""
    with ServerProcess("made_segmenters:Refused", [{"kind": kind}]) as server:
        server.put(volume)
        last = last_frame(server.post(volume.digest, NAMES), volume)
        assert isinstance(last, Failed)
        assert last.report.code == "out_of_memory"
