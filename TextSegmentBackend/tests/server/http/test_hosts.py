"""A request names one host, and names it once."""

from __future__ import annotations

import json

import pytest
from server_process import read_answer


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("/healthz", ["localhost", "localhost"]),
        ("/healthz", ["localhost", "evil.example"]),
        ("/healthz", ["evil.example", "localhost"]),
        ("http://evil.example/healthz", ["localhost"]),
        ("http://localhost/healthz", ["evil.example"]),
        ("http://localhost/healthz", [""]),
        ("http://localhost:80/healthz", ["localhost"]),
        ("http://evil.example@localhost/healthz", ["localhost"]),
        ("http://localhost@evil.example/healthz", ["localhost"]),
        ("http://localhost?/healthz", ["localhost?"]),
        ("localhost:443", ["localhost:443"]),
        ("/healthz", ["user@localhost"]),
        ("/healthz", ["localhost:80@evil.example"]),
        ("/healthz", ["localhost:http"]),
        ("/healthz", ["localhost evil.example"]),
        ("/healthz", ["localhost,evil.example"]),
        ("/healthz", ["[::1]evil.example"]),
        ("/healthz", ["[::1"]),
        ("/healthz", ["http://localhost"]),
    ],
)
def test_request_that_names_two_hosts_or_none_is_no_http(server, target, hosts):
    """Fault 37."""
    lines = [f"GET {target} HTTP/1.1", *(f"Host: {host}" for host in hosts), "", ""]
    with server.connect() as connection:
        connection.sendall("\r\n".join(lines).encode())
        status, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (400, "request_invalid")
        assert connection.recv(1) == b""


def test_refused_before_a_body_is_read(server):
    """Fault 37."""
    lines = ["POST /v1/segment HTTP/1.1", "Host: localhost", "Host: localhost", "Content-Length: 99", "", ""]
    with server.connect() as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert read_answer(connection)[0] == 400


@pytest.mark.parametrize("target", ["http://LOCALHOST:1/healthz", "http://localhost:1/healthz?x"])
def test_whole_address_of_this_server_is_accepted(server, target):
    with server.connect() as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:1\r\n\r\n".encode())
        assert read_answer(connection)[0] == 200
