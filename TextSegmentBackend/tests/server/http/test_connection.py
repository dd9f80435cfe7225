"""What a connection survives, and what ends it."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest
from server_process import ServerProcess, raw_request, read_answer, wait_until
from wire_samples import made_volume

from textsegment.testing import phantom
from textsegment.wire.contract import JSON_TYPE, SEGMENT_ROUTE, VOLUME_TYPE, volume_path
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volumes.codec import encode_volume, wire_volume

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def server():
    with ServerProcess(arguments=[{"seconds": 600}], head_timeout_s=0.5) as process:
        yield process


def drip(connection: socket.socket, data: bytes) -> bytes:
    """Send the same again and again until the server has enough of it; return what it has answered."""
    connection.settimeout(0.05)
    received = b""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            connection.sendall(data)
            if not (piece := connection.recv(65536)):
                return received
            received += piece
        except TimeoutError:
            continue
        except OSError:
            return received
    pytest.fail("the server goes on for ever")


@pytest.mark.parametrize(
    "begin",
    [b"G", b"GET /v1/info HTTP/1.1\r\n", b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\nX: "],
)
def test_slow_head_is_408(server, begin):
    """Fault 51."""
    with server.connect() as connection:
        connection.sendall(begin)
        status, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (408, "request_timeout")
        assert connection.recv(100) == b""


def test_connection_that_says_nothing_is_closed(server):
    """Fault 51."""
    with server.connect() as connection:
        assert connection.recv(100) == b""


def test_dripping_head_is_408(server):
    """Fault 51."""
    with server.connect() as connection:
        connection.sendall(b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\n")
        assert drip(connection, b"X: y\r\n").startswith(b"HTTP/1.1 408")


def test_empty_lines_do_not_keep_a_connection_open(server):
    """Fault 51."""
    with server.connect() as connection:
        connection.sendall(HEALTH)
        assert read_answer(connection)[0] == 200
        drip(connection, b"\r\n")


def test_slow_second_request_is_408(server):
    """Fault 51."""
    with server.connect() as connection:
        connection.sendall(HEALTH)
        assert read_answer(connection)[0] == 200
        connection.sendall(HEALTH[:20])
        assert read_answer(connection)[0] == 408


def test_body_that_was_refused_is_not_swallowed_for_ever(server):
    fields = {"Host": "localhost", "Content-Type": VOLUME_TYPE, "Content-Length": str(10**9)}
    with server.connect() as connection:
        connection.sendall(raw_request("PUT", volume_path("0" * 64), fields))
        assert read_answer(connection)[0] == 426
        drip(connection, b"x" * 1000)


def test_connection_is_good_after_a_refused_body_that_ended(server):
    fields = {"Host": "localhost", "Content-Type": VOLUME_TYPE, "Content-Length": "100000"}
    with server.connect() as connection:
        connection.sendall(raw_request("PUT", volume_path("0" * 64), fields))
        assert read_answer(connection)[0] == 426
        connection.sendall(b"x" * 100_000 + HEALTH)
        assert read_answer(connection)[0] == 200


def test_requests_one_after_the_other_without_waiting(server):
    with server.connect() as connection:
        connection.sendall(HEALTH * 5)
        received = b""
        while received.count(b"HTTP/1.1 200") < 5:
            received += connection.recv(65536)


def test_requests_without_an_end_are_not_kept(server):
    before = server.rss()
    with contextlib.ExitStack() as others:
        for _ in range(20):
            connection = others.enter_context(server.connect())
            with contextlib.suppress(ConnectionError):
                connection.sendall(HEALTH * 20_000)
                while connection.recv(65536):
                    pass
    assert server.rss() - before <= 50 * 2**20


def test_job_ends_with_its_connection_whatever_follows_it(server):
    """Fault 47."""
    volume = wire_volume(phantom())
    server.put(volume)
    body = SegmentRequest(volume.digest, ("liver",)).to_json()  # type: ignore[arg-type]
    fields = {"Host": "localhost", "TextSegment-Protocol": "1", "Content-Type": JSON_TYPE}
    fields["Content-Length"] = str(len(body))
    before = len(server.events("job"))
    with server.connect() as connection:
        connection.sendall(raw_request("POST", SEGMENT_ROUTE, fields, body) + HEALTH)
        assert connection.recv(12) == b"HTTP/1.1 200"
    wait_until(lambda: len(server.events("job")) > before, "the job has ended")


def test_upload_behind_another_request_has_its_own_time(server):
    fields = {"Host": "localhost", "TextSegment-Protocol": "1", "Content-Type": VOLUME_TYPE}
    fields["Content-Length"] = "100000"
    with server.connect() as connection:
        connection.sendall(HEALTH + raw_request("PUT", volume_path("0" * 64), fields))
        assert read_answer(connection)[0] == 200
        connection.settimeout(7)  # longer than the rest of a refused body is swallowed
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_connections_are_bounded():
    with ServerProcess(max_connections=4) as server, contextlib.ExitStack() as others:
        kept = [others.enter_context(server.connect()) for _ in range(4)]
        with server.connect() as connection:
            connection.sendall(HEALTH)
            status, body = read_answer(connection)
            assert (status, json.loads(body)["code"]) == (429, "busy")
            assert connection.recv(1) == b""
        kept += [others.enter_context(server.connect()) for _ in range(64)]
        with server.connect() as connection, contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""  # long before its time is up
        kept[0].sendall(HEALTH)
        assert read_answer(kept[0])[0] == 200


def test_broken_chunks_are_400(server):
    """Fault 9."""
    fields = {"Host": "localhost", "TextSegment-Protocol": "1", "Content-Type": VOLUME_TYPE}
    for coding, body in (("chunked", b"4\r\nTSV1\r\nnonsense\r\n"), ("xchunked", b"0\r\n\r\n")):
        fields["Transfer-Encoding"] = coding
        with server.connect() as connection:
            connection.sendall(raw_request("PUT", volume_path("0" * 64), fields, body))
            status, answer = read_answer(connection)
            assert (status, json.loads(answer)["code"]) == (400, "request_invalid")
            assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "garbage", [b"\0\1\2\3\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500]
)
def test_what_is_no_http_is_400(server, garbage):
    """Fault 9."""
    with server.connect() as connection:
        connection.sendall(garbage)
        status, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (400, "request_invalid")


def test_answer_is_not_mixed_with_an_error_about_the_next_request(server):
    volume = wire_volume(phantom())
    server.put(volume)
    body = SegmentRequest(volume.digest, ("liver",)).to_json()  # type: ignore[arg-type]
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": JSON_TYPE,
        "Content-Length": str(len(body)),
    }
    before = len(server.events("job"))
    with server.connect() as connection:
        connection.sendall(raw_request("POST", SEGMENT_ROUTE, fields, body) + b"\0\0 garbage \r\n\r\n")
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
        assert received.count(b"HTTP/1.1") <= 1
    if received.startswith(b"HTTP/1.1 200"):
        wait_until(lambda: len(server.events("job")) > before, "the job has ended")


@pytest.mark.parametrize("junk", [b"X: " + b"y" * 2**16, b"X: y\r\n" * 2**14])
def test_head_without_an_end_is_refused(server, junk):
    before = server.rss()
    with server.connect() as connection:
        connection.sendall(b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\n")
        drip(connection, junk)
    assert server.rss() - before <= 50 * 2**20


def test_trailers_without_an_end_are_refused(server):
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": VOLUME_TYPE,
        "Transfer-Encoding": "chunked",
    }
    before = server.rss()
    with server.connect() as connection:
        connection.sendall(raw_request("PUT", volume_path("0" * 64), fields, b"4\r\nTSV1\r\n0\r\n"))
        drip(connection, b"X: y\r\n" * 2**14)
    assert server.rss() - before <= 50 * 2**20


UPGRADES = {
    "h2c": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAA"},
    "kept alive": {"Connection": "keep-alive, upgrade", "upgrade": "h2c"},
    "websocket": {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x" * 22 + "=="},
    "tls": {"Connection": "Upgrade", "Upgrade": "TLS/1.0"},
}


@pytest.mark.parametrize("offer", UPGRADES)
@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("is_split", [False, True])
def test_body_behind_an_offer_of_another_protocol_is_not_lost(server, offer, is_chunked, is_split):
    """sv6: Java's client offers HTTP/2 with its first request; the upload that came with it was empty."""
    number = list(UPGRADES).index(offer) * 4 + is_chunked * 2 + is_split
    volume = made_volume((20, 20, 10 + number))
    body = b"".join(encode_volume(volume))
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": VOLUME_TYPE,
        **UPGRADES[offer],
    }
    if is_chunked:
        fields["Transfer-Encoding"] = "chunked"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        fields["Content-Length"] = str(len(body))
    head = raw_request("PUT", volume_path(volume.digest), fields)
    with server.connect() as connection:
        for piece in (head[:40], head[40:], body) if is_split else (head + body,):
            connection.sendall(piece)
        assert read_answer(connection)[0] == 201
        connection.sendall(raw_request("GET", "/healthz", {"Host": "localhost", **UPGRADES[offer]}) + HEALTH)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2:  # the connection is good, and what follows is not lost
            received += connection.recv(65536)
    assert server.head(volume).status_code == 200


def test_two_hosts_do_not_hide_behind_an_offer(server):
    """sv6, variant: the checks of a head are those of any other."""
    hosts = b"Host: localhost\r\nHost: evil\r\n"
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + hosts + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert read_answer(connection)[0] == 400


def test_offers_without_an_end_are_refused(server):
    """sv6, variant: a head that is read twice is not kept for ever."""
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n")
        drip(connection, b"X: y\r\n" * 2**12)


def test_tunnels_are_refused(server):
    with server.connect() as connection:
        connection.sendall(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
        assert read_answer(connection)[0] == 400
