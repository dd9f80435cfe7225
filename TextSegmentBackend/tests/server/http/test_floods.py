"""Connections before they speak HTTP, and lines in the log that strangers cause: bounded from the start."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl

import psutil
import pytest
from certificates import Authority
from server_process import ServerProcess, read_answer, wait_until

from textsegment.errors import SettingsError
from textsegment.server.http.descriptors import bounds_within
from textsegment.wire.contract import HEALTH_ROUTE, INFO_ROUTE

KEY = "k" * 20
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secured(authority):
    file = str(authority.issue("127.0.0.1"))
    with ServerProcess(keys=[KEY], certfile=file, head_timeout_s=2.0, max_connections=8) as server:
        yield server


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(65536) == b"" or is_closed(connection)
    except ConnectionError:
        return True


def drip(connection: socket.socket, begin: bytes, then: bytes) -> bytes:
    """Send the same again and again until the server has enough of it; return what it has answered."""
    connection.sendall(begin)
    connection.settimeout(0.2)
    for _ in range(300):
        try:
            connection.sendall(then)
            return connection.recv(100)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
    pytest.fail("the server goes on for ever")


def held(server) -> int:
    """Connections that the server has open."""
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(c.status in (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT) for c in connections)


@pytest.mark.parametrize("begin", [b"", CLIENT_HELLO, HEALTH], ids=["nothing", "half a hello", "no TLS"])
def test_connection_without_a_handshake_is_closed(secured, begin):
    """sv2: the time of a request counted from the end of the handshake on."""
    with secured.connect() as connection:
        connection.sendall(begin)
        assert is_closed(connection)


def test_dripped_handshake_is_closed(secured):
    """sv2, variant: a byte now and then is no handshake."""
    with secured.connect() as connection:
        assert drip(connection, CLIENT_HELLO[:5], b"x") == b""


def test_connections_without_a_handshake_are_bounded_and_keep_nobody_out(secured, authority):
    """sv2: 3,000 of them took 966 MB, with no bound in sight."""
    before = secured.rss()
    with contextlib.ExitStack() as others:
        for _ in range(700):
            others.enter_context(secured.connect())
        session = secured.session()
        session.verify = str(authority.file)
        assert session.get(secured.url + HEALTH_ROUTE).status_code == 200
        assert held(secured) <= 256 + 64 + 8
        assert secured.rss() - before < 120 * 2**20
    assert secured.log.count("\n") < 30


def test_connections_behind_the_handshake_are_bounded_too(secured, authority):
    """sv2, variant: those that have spoken TLS and say no more."""
    context = ssl.create_default_context(cafile=str(authority.file))
    with contextlib.ExitStack() as others:
        for _ in range(8):
            others.enter_context(context.wrap_socket(secured.connect(), server_hostname="127.0.0.1"))
        with context.wrap_socket(secured.connect(), server_hostname="127.0.0.1") as connection:
            connection.sendall(HEALTH)
            assert read_answer(connection)[0] == 429


def test_server_without_free_descriptors_says_so_once_and_goes_on():
    """sv2: it wrote 84 MB of log in 90 seconds."""
    with ServerProcess() as server, contextlib.ExitStack() as others:
        process = psutil.Process(server.process.pid)
        before = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 3, before[1]))
        for _ in range(20):
            others.enter_context(server.connect())
        wait_until(lambda: server.events("no_room_for_connections"), "it says so")
        process.rlimit(psutil.RLIMIT_NOFILE, before)
        with server.connect() as connection:
            connection.sendall(HEALTH)
            assert read_answer(connection)[0] == 200
        assert len(server.log) < 5000


def test_requests_without_a_key_cannot_fill_the_log():
    """sv2, variant: lines that anybody can cause are left out and counted, others are all there."""
    with ServerProcess(keys=[KEY]) as server:
        stranger = server.session("")
        for _ in range(150):
            stranger.get(server.url + INFO_ROUTE)
        garbage = b"\0\1\2\r\n\r\n"
        for _ in range(150):
            with server.connect() as connection:
                connection.sendall(garbage)
                is_closed(connection)
        assert len(server.log.splitlines()) < 150
        friend = server.session()
        for _ in range(100):
            friend.get(server.url + INFO_ROUTE)
        wait_until(lambda: sum(e["status"] == 200 for e in server.events("request")) == 100, "all are there")
        wait_until(
            lambda: (
                stranger.get(server.url + INFO_ROUTE).status_code == 401
                and any("left_out" in line for line in server.events("request"))
            ),
            "it says how many were left out",
        )


@pytest.mark.parametrize(
    ("limit", "has_tls", "connections"),
    [(65536, True, 512), (1024, False, 512), (512, True, 264), (256, False, 96)],
)
def test_connections_fit_into_the_open_files(limit, has_tls, connections):
    bounds = bounds_within(limit, 512, has_tls=has_tls)
    assert bounds.connections == connections
    assert bounds.connections + (bounds.handshakes if has_tls else 0) + 160 <= limit


def test_too_few_open_files_are_an_error():
    with pytest.raises(SettingsError, match="open files"):
        bounds_within(255, 512, has_tls=False)


def test_limit_of_open_files_is_looked_at_when_it_starts():
    """sv2: the descriptor limit is checked at start."""
    with ServerProcess(max_open_files=300) as server:
        wait_until(lambda: "leaves room for 140 connections, not 512" in server.log, "it warns")
        with contextlib.ExitStack() as others:
            for _ in range(200):
                others.enter_context(server.connect())
            with server.connect() as connection, contextlib.suppress(ConnectionError):
                connection.sendall(HEALTH)
                connection.recv(1)
            assert held(server) <= 140 + 64
        wait_until(lambda: held(server) < 10, "they are closed")
        assert server.session().get(server.url + HEALTH_ROUTE).status_code == 200
        assert not server.events("no_room_for_connections")
    server = ServerProcess(max_open_files=100)
    server.end()
    assert "settings_invalid: The server may have 100 open files" in server.log


def test_soft_limit_is_raised(tmp_path):
    """A shell gives 1024, or 256, but allows more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("the limit of this computer cannot be raised")
    with ServerProcess(max_open_files=-600) as server:
        assert psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE)[0] == 512 + 256 + 160
        assert "leaves room" not in server.log
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
