"""Cancelling from another thread, whatever the network does at that moment."""

import socket
import threading

import psutil
import pytest
from odd_faults import deaf, refusing, silent, streaming
from odd_server import OddServer, serving
from server_process import wait_until
from uploads import long_volume

from textsegment.background import BackgroundTask
from textsegment.client.transport import Timeouts
from textsegment.errors import BusyError, CancelledError
from textsegment.segmenter import CancelToken, MaskReady, Progress
from textsegment.testing import FakeSegmenter, phantom

PATIENT = Timeouts(*[3600.0] * 6)  # no limit of the client ends a job before it is cancelled


@pytest.fixture(params=["plain", "tls"])
def server(request, authority):
    context = authority.server_context("127.0.0.1") if request.param == "tls" else None
    with serving(OddServer(segmenter=FakeSegmenter(seconds=0.2)), context) as odd:
        odd.ca_file = authority.file if context else None
        yield odd


@pytest.fixture
def remote(server, connect):
    scheme = "https" if server.ca_file else "http"
    return connect(server.url.replace("http", scheme, 1), ca_file=server.ca_file, timeouts=PATIENT)


def cancel_when(condition, remote, volume, *, structures=("liver",), on_event=lambda _: None):
    """Cancel as soon as a condition holds; the job ends by that alone, since nothing else would end it."""
    cancel = CancelToken()
    task = BackgroundTask(
        lambda _report, _cancel: remote.segment(volume, structures, cancel=cancel, on_event=on_event)
    ).start()
    wait_until(condition, "the moment to cancel")
    cancel.cancel()
    assert task.wait(120)
    with pytest.raises(CancelledError):
        task.result()


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
    cancel_when(lambda: method in server.methods(), remote, phantom())
    assert server.hung_up.wait(60)


def test_cancelled_while_the_server_takes_no_more_of_the_upload(remote, server):
    server.expect("PUT", deaf)
    events = []
    volume = long_volume(megabytes=24)  # more than sockets buffer
    stalled = []

    def is_stalled():
        stalled.append(len(events))
        return "PUT" in server.methods() and stalled[-1] and stalled[-60:] == [stalled[-1]] * 60

    cancel_when(is_stalled, remote, volume, on_event=events.append)
    assert events[-1].stage == "uploading"
    assert events[-1].fraction < 0.05


def test_cancelled_while_the_engine_works(remote, server):
    events = []
    seen = lambda: any(isinstance(event, MaskReady) for event in events)  # noqa: E731
    structures = ["liver", "heart", "aorta", "stomach", "left kidney", "right kidney"] * 5
    cancel_when(seen, remote, phantom(), structures=structures, on_event=events.append)
    assert len(events) < len(structures)
    assert server.hung_up.wait(60)


def test_cancelled_while_the_server_is_busy(remote, server):
    server.expect("POST", refusing(BusyError("The queue is full.", retry_after_s=1000)))
    events = []
    waits = lambda: Progress(0.0, "waiting") in events  # noqa: E731
    cancel_when(waits, remote, phantom(), on_event=events.append)


def test_cancelled_while_it_connects(connect):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        before = connections_to(port)
        client = connect(f"http://127.0.0.1:{port}", timeouts=PATIENT)
        cancel_when(lambda: connections_to(port) > before, client, phantom())
        for filler in fillers:
            filler.close()


def connections_to(port):
    """Count the connections of this process to a port, those that are being made included."""
    return sum(each.raddr[1:] == (port,) for each in psutil.Process().net_connections("tcp") if each.raddr)


def test_a_client_that_is_closed_lets_go_of_its_jobs(remote, server):
    server.expect("POST", streaming(then=silent))
    closer = threading.Thread(target=close_when_asked, args=(remote, server))
    closer.start()
    with pytest.raises(CancelledError):
        remote.segment(phantom(), ["liver"])
    closer.join()
    assert server.hung_up.wait(60)


def close_when_asked(remote, server):
    wait_until(lambda: "POST" in server.methods(), "the job to begin")
    remote.close()


def test_the_next_job_of_a_client_is_not_disturbed(remote, server):
    server.expect("POST", streaming(then=silent))
    cancel_when(lambda: "POST" in server.methods(), remote, phantom())
    assert len(remote.segment(phantom(), ["liver"])) == 1


def test_ctrl_c_ends_the_job_on_the_server_too(remote, server):
    def interrupt(event):
        if isinstance(event, MaskReady):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.segment(phantom(), ["liver", "heart", "aorta", "stomach"] * 5, on_event=interrupt)
    assert server.hung_up.wait(60)


def test_no_thread_is_left_behind(remote, server):
    before = threading.active_count()
    for _ in range(3):
        server.expect("GET", silent)
        cancel_when(lambda: server.methods().count("GET") > 0, remote, phantom())
    wait_until(lambda: all(t.name != "textsegment-client" for t in threading.enumerate()), "ours have ended")
    wait_until(lambda: threading.active_count() <= before + 3, "but for those of the server")
