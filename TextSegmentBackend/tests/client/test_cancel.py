"""Cancelling from another thread, whatever the network does at that moment."""

import socket
import threading
import time

import pytest
from odd_faults import deaf, refusing, silent, streaming
from odd_server import OddServer, serving
from server_process import wait_until
from uploads import long_volume

from textsegment.errors import BusyError, CancelledError
from textsegment.segmenter import CancelToken, MaskReady, Progress
from textsegment.testing import FakeSegmenter, phantom

# The promise is 200 ms; a loaded machine gets more, but far less than any timeout.
AT_ONCE_S = 10.0  # on a machine with much else to do; what is cancelled would take twice as long


@pytest.fixture(params=["plain", "tls"])
def server(request, authority):
    context = authority.server_context("127.0.0.1") if request.param == "tls" else None
    with serving(OddServer(segmenter=FakeSegmenter(seconds=0.2)), context) as odd:
        odd.ca_file = authority.file if context else None
        yield odd


@pytest.fixture
def remote(server, connect):
    scheme = "https" if server.ca_file else "http"
    return connect(server.url.replace("http", scheme, 1), ca_file=server.ca_file)


def cancelled_after(condition, remote, volume, *, structures=("liver",), on_event=lambda _: None):
    """Cancel as soon as a condition holds; return how long the job took to end."""
    cancel, at = CancelToken(), []

    def watch():
        end = time.monotonic() + 15
        while not condition() and time.monotonic() < end:
            time.sleep(0.005)
        at.append(time.monotonic())
        cancel.cancel()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(CancelledError):
            remote.segment(volume, structures, cancel=cancel, on_event=on_event)
        return time.monotonic() - at[0]
    finally:
        watcher.join()


def test_cancelled_before_it_began(remote, server):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledError):
        remote.segment(phantom(), ["liver"], cancel=cancel)
    assert server.requests == []


@pytest.mark.parametrize(
    ("method", "fault"), [("GET", silent), ("HEAD", silent), ("POST", streaming(then=silent))]
)
def test_cancelled_while_it_waits_for_an_answer(remote, server, method, fault):
    server.expect(method, fault)
    assert cancelled_after(lambda: method in server.methods(), remote, phantom()) < AT_ONCE_S
    assert server.hung_up.wait(5)


def test_cancelled_while_the_server_takes_no_more_of_the_upload(remote, server):
    server.expect("PUT", deaf)
    events = []
    volume = long_volume(megabytes=24)  # more than sockets buffer
    stalled = []

    def is_stalled():
        stalled.append(len(events))
        return "PUT" in server.methods() and len(stalled) > 60 and stalled[-1] == stalled[-60]

    assert cancelled_after(is_stalled, remote, volume, on_event=events.append) < AT_ONCE_S
    assert events[-1].stage == "uploading"
    assert events[-1].fraction < 0.05


def test_cancelled_while_the_engine_works(remote, server):
    events = []
    seen = lambda: any(isinstance(event, MaskReady) for event in events)  # noqa: E731
    structures = ["liver", "heart", "aorta", "stomach", "left kidney", "right kidney"] * 5
    took = cancelled_after(seen, remote, phantom(), structures=structures, on_event=events.append)
    assert took < AT_ONCE_S
    assert server.hung_up.wait(5)


def test_cancelled_while_the_server_is_busy(remote, server):
    server.expect("POST", refusing(BusyError("The queue is full.", retry_after_s=100)))
    events = []
    waits = lambda: Progress(0.0, "waiting") in events  # noqa: E731
    assert cancelled_after(waits, remote, phantom(), on_event=events.append) < AT_ONCE_S


def test_cancelled_while_it_connects(connect):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        start = time.monotonic()
        took = cancelled_after(
            lambda: time.monotonic() > start + 0.3, connect(f"http://127.0.0.1:{port}"), phantom()
        )
        for filler in fillers:
            filler.close()
    assert took < AT_ONCE_S


def test_a_client_that_is_closed_lets_go_of_its_jobs(remote, server):
    server.expect("POST", streaming(then=silent))
    closer = threading.Thread(target=close_when_asked, args=(remote, server))
    closer.start()
    with pytest.raises(CancelledError):
        remote.segment(phantom(), ["liver"])
    closer.join()
    assert server.hung_up.wait(5)


def close_when_asked(remote, server):
    end = time.monotonic() + 15
    while "POST" not in server.methods() and time.monotonic() < end:
        time.sleep(0.005)
    remote.close()


def test_the_next_job_of_a_client_is_not_disturbed(remote, server):
    server.expect("POST", streaming(then=silent))
    cancelled_after(lambda: "POST" in server.methods(), remote, phantom())
    assert len(remote.segment(phantom(), ["liver"])) == 1


def test_ctrl_c_ends_the_job_on_the_server_too(remote, server):
    def interrupt(event):
        if isinstance(event, MaskReady):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.segment(phantom(), ["liver", "heart", "aorta", "stomach"] * 5, on_event=interrupt)
    assert server.hung_up.wait(5)


def test_no_thread_is_left_behind(remote, server):
    before = threading.active_count()
    for _ in range(3):
        server.expect("GET", silent)
        cancelled_after(lambda: server.methods().count("GET") > 0, remote, phantom())
    wait_until(lambda: all(t.name != "textsegment-client" for t in threading.enumerate()), "ours have ended")
    wait_until(lambda: threading.active_count() <= before + 3, "but for those of the server")
