"""Servers, and what stands before them, that answer a byte now and then; sv6 in all of them."""

from __future__ import annotations

import socket
import threading

import pytest
from odd_faults import dripping
from odd_server import OddServer, serving

from textsegment.client.transport import Timeouts
from textsegment.errors import ServerTimeoutError
from textsegment.testing import phantom
from textsegment.wire.contract import ANSWER_TYPE
from textsegment.wire.frames import STREAM_MAGIC, Done, encode_frame

QUICK = Timeouts(connect_s=0.5, answer_s=0.5, silence_s=0.5, recovery_s=0.0)
OURS = b"HTTP/1.1 200 OK\r\nTextSegment-Protocol: 1\r\n"
STREAM = OURS + b"Content-Type: " + ANSWER_TYPE.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"

LONG_FRAME = encode_frame(Done({"model": "x" * 5000}, ()))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture
def quick():
    with serving(OddServer()) as odd:
        yield odd


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OURS + b"Content-Length: 100000\r\n\r\n", b"{"),
        (OURS + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
        (OURS + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 503 Busy\r\nTextSegment-Protocol: 1\r\nContent-Length: 100000\r\n\r\n", b"{"),
    ],
    ids=["status", "headers", "a header", "interim", "body", "chunks", "size of a chunk", "error"],
)
def test_dripped_answer_has_a_bound(quick, connect, begin, again):
    """sv6: the head of an answer had none."""
    quick.expect("GET", dripping(begin, again))
    with pytest.raises(ServerTimeoutError):
        connect(quick.url, None, timeouts=QUICK).server_info()
    assert not quick.dripped_out.is_set()


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (STREAM + chunk(STREAM_MAGIC) + chunk(LONG_FRAME[:20]), chunk(b"x")),
        (STREAM + chunk(STREAM_MAGIC) + b"1;", b"x"),
        (STREAM, b"1"),
    ],
    ids=["a frame", "size of a chunk", "size of the first chunk"],
)
def test_dripped_stream_has_a_bound(quick, connect, begin, again, monkeypatch):
    """sv6, variant: frames of which no more than a byte comes at once."""
    monkeypatch.setattr("textsegment.client.transport._PIECE_BYTES", 512)
    connect(quick.url, None).segment(phantom(), ["liver"])  # the server has the volume then
    client = connect(quick.url, None, timeouts=QUICK)
    quick.expect("POST", *[dripping(begin, again)] * 5)
    with pytest.raises(ServerTimeoutError):
        client.segment(phantom(), ["liver"])
    assert not quick.dripped_out.is_set()


def test_dripping_proxy_has_a_bound(connect):
    """sv6, variant: the answer of a proxy to the wish for a tunnel."""
    stopped = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stopped.wait(0.05):
                try:
                    connection.sendall(b"X: y\r\n")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = connect("https://gpu.example.org", None, timeouts=QUICK, proxies={"https": proxy})
        with pytest.raises(ServerTimeoutError):
            client.server_info()
        stopped.set()
        thread.join(60)


def test_slow_consumer_is_no_slow_server(quick, connect):
    """The time of whoever takes the masks does not count."""
    client = connect(quick.url, None, timeouts=Timeouts(silence_s=2.0, recovery_s=0.0))
    waited = threading.Event()
    result = client.segment(phantom(), ["liver", "spleen"], on_event=lambda _: waited.wait(0.7))
    assert len(result.masks) == 2


def test_no_thread_is_left_of_a_deadline(quick, connect):
    connect(quick.url, None).server_info()
    deadlines = [thread for thread in threading.enumerate() if thread.name == "textsegment-deadline"]
    for thread in deadlines:
        thread.join(60)
        assert not thread.is_alive()
