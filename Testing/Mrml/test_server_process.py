"""Engine on this computer, as a real child process with a real server."""

import subprocess
import sys
import textwrap
import time

import psutil
import pytest
import requests
from cases import names, to_the_end, volume_node
from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import BusyError, EngineLostError, SettingsError, UnauthorizedError
from TextSegmentLib import bundle
from TextSegmentLib.engine.interpreter import Interpreter, chosen_interpreter
from TextSegmentLib.engine.server_process import LocalServer, ServerState
from TextSegmentLib.logic import TextSegmentLogic

FAKE = ("--segmenter", "textsegment.testing:FakeSegmenter")
SLOW = (*FAKE, "--segmenter-arguments", '{"seconds": 600}')


def until(condition, what, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def family(pid):
    """Returns a process and all its descendants."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def gone(processes):
    return all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture
def server():
    made = LocalServer()
    yield made
    made.stop_now()


def started(server, *options):
    server.start(chosen_interpreter(""), model="sat-demo", device="cpu", options=options or FAKE)
    until(lambda: server.state is not ServerState.STARTING, "start")
    assert server.state is ServerState.READY, server.log
    return server


def test_it_starts_segments_and_stops(server):
    assert server.state is ServerState.STOPPED
    started(server)
    assert server.model.model == "fake"
    result = TextSegmentLogic().segment(
        volume_node(), "liver, spleen, aorta", segmenter=server.segmenter(), modality="CT"
    )
    assert names(result) == ["liver", "aorta"]
    processes = family(server.pid)
    assert len(processes) > 1
    server.stop()
    assert (server.state, server.model, server.error) == (ServerState.STOPPED, None, None)
    with pytest.raises(EngineLostError, match="not running"):
        server.segmenter()
    until(lambda: gone(processes), "the end of all processes")


def test_it_starts_again_after_a_stop(server):
    started(server)
    first = server.pid
    server.stop()
    started(server)
    assert server.pid != first
    with pytest.raises(BusyError):
        server.start(chosen_interpreter(""), model="sat-demo")


def test_nobody_else_has_the_key(server):
    started(server)
    url = server.segmenter()._address.url
    with pytest.raises(UnauthorizedError):
        RemoteSegmenter(url).info()
    assert requests.get(f"{url}/v1/info", timeout=60).status_code == 401
    command_line = " ".join(psutil.Process(server.pid).cmdline())
    assert server.segmenter()._key not in command_line + server.log


def test_a_crash_is_noticed_and_said(server):
    """Fault 66."""
    started(server, *SLOW)
    run = TextSegmentLogic().start(volume_node(), ["liver"], modality="CT", segmenter=server.segmenter())
    until(lambda: run.process_events() and run.stage, "the job to run")
    for process in family(server.pid):
        process.kill()
    until(lambda: server.state is ServerState.FAILED, "the crash to be seen")
    assert "stopped" in server.error.message
    assert server.model is None
    to_the_end(run)
    assert run.state == "failed"
    started(server)
    assert server.error is None


def test_stop_now_waits_for_the_end_even_of_a_job(server):
    started(server, *SLOW)
    run = TextSegmentLogic().start(volume_node(), ["liver"], modality="CT", segmenter=server.segmenter())
    until(lambda: run.process_events() and run.stage, "the job to run")
    processes = family(server.pid)
    server.stop_now()
    until(lambda: gone(processes), "the end of all processes")
    to_the_end(run)
    assert run.state in ("cancelled", "failed")  # not "done", in ten minutes


def test_no_process_outlives_a_crash_of_slicer():
    """Fault 72: a Python process that dies without a chance to clean up plays Slicer."""
    returncode, processes = slicer_that_ends_by("os.abort()")
    assert returncode < 0
    until(lambda: gone(processes), "the end of all processes")


def test_no_process_outlives_slicer():
    """Fault 72."""
    returncode, processes = slicer_that_ends_by("pass")
    assert returncode == 0
    assert gone(processes)


def slicer_that_ends_by(last_line):
    """Starts the engine in a Python process that plays Slicer, and lets that process end.

    Returns:
        The exit code of that process, and the processes of its engine.
    """
    program = f"""
        import os, sys, time
        sys.path[:0] = {sys.path!r}
        from slicer_host import scene
        scene.boot()
        from TextSegmentLib.engine.interpreter import chosen_interpreter
        from TextSegmentLib.engine.server_process import local_server
        server = local_server()
        server.start(chosen_interpreter(""), model="sat-demo", device="cpu", options={list(SLOW)!r})
        while server.state == "starting":
            time.sleep(0.02)
        print(server.state, server.pid, flush=True)
        sys.stdin.read()
        {last_line}
    """
    slicer_process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with slicer_process:
        _state, pid = next(line.split() for line in slicer_process.stdout if line.startswith("ready"))
        processes = family(int(pid))
        slicer_process.stdin.close()
    return slicer_process.returncode, processes


def test_an_interpreter_that_is_none_is_said(server, tmp_path):
    with pytest.raises(SettingsError):
        server.start(Interpreter(str(tmp_path / "python"), is_slicers=False), model="sat-demo")
    assert server.state is ServerState.STOPPED


def test_what_the_engine_says_of_its_failure_is_shown(server):
    server.start(chosen_interpreter(""), model="sat-huge", device="cpu")
    until(lambda: server.state is ServerState.FAILED, "the failure")
    assert "sat-huge" in server.error.message
    assert "sat-nano" in server.error.hint
    assert "sat-huge" in server.log


def test_another_python_gets_neither_slicers_paths_nor_another_backend(monkeypatch):
    started_in = {"PATH": "/bin", "LD_LIBRARY_PATH": "/x", "PYTHONHOME": "/y", "HOME": "/home/me"}
    monkeypatch.setattr("slicer.util.startupEnvironment", lambda: started_in, raising=False)
    variables = Interpreter("/usr/bin/python3", is_slicers=False).environment()
    assert variables == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "PYTHONPATH": str(bundle.backend_source()),
        "PYTHONIOENCODING": "utf-8",
    }
