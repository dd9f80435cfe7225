"""Who comes in, and what can be seen of others."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests
from server_process import ServerProcess, frames, raw_request, read_answer, report, wait_until
from starlette.datastructures import Headers
from wire_samples import made_volume

from textsegment.server.http.security import client_address
from textsegment.testing import phantom
from textsegment.wire.contract import (
    HEALTH_ROUTE,
    INFO_ROUTE,
    JSON_TYPE,
    METRICS_ROUTE,
    SEGMENT_ROUTE,
    VOLUME_TYPE,
    volume_path,
)
from textsegment.wire.volumes.codec import wire_volume

ALICE, BOB = "alice-" + "a" * 20, "bob-" + "b" * 20
DIGEST = "0" * 64


@pytest.fixture(scope="module")
def guarded():
    # Behind a proxy, so that each test can come from an address of its own.
    with ServerProcess(keys=[ALICE, BOB], behind_proxy=True, allowed_hosts=["gpu.example.org"]) as process:
        yield process


def ask(server, method, path, **headers) -> tuple[int, dict]:
    """Send a head that promises a body, but no body."""
    fields = {"Host": "localhost", "TextSegment-Protocol": "1", "Content-Length": "100000", **headers}
    with server.connect() as connection:
        connection.sendall(raw_request(method, path, {k.replace("_", "-"): v for k, v in fields.items()}))
        status, body = read_answer(connection)
    return status, json.loads(body)


@pytest.mark.parametrize("number", range(7))
def test_bad_key_is_refused_before_the_body_is_read(guarded, number):
    """Fault 34."""
    wrong = [None, "", "Bearer", "Bearer wrong", f"Basic {ALICE}", f"Bearer {ALICE}x", ALICE][number]
    given = {"X-Forwarded-For": f"203.0.113.{number}"}
    if wrong is not None:
        given["Authorization"] = wrong
    for method, path in (("PUT", volume_path(DIGEST)), ("POST", SEGMENT_ROUTE)):
        status, body = ask(guarded, method, path, Content_Type=VOLUME_TYPE, **given)
        assert (status, body["code"]) == (401, "unauthorized")


def test_every_route_but_health_and_the_page_needs_the_key(guarded):
    """Fault 34."""
    session = guarded.session(key="")
    for path in (INFO_ROUTE, METRICS_ROUTE, "/openapi.json", "/v1/x", "/x"):
        answer = session.get(guarded.url + path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert session.head(guarded.url + volume_path(DIGEST)).status_code == 401
    assert session.get(guarded.url + HEALTH_ROUTE).status_code == 200
    assert guarded.session(BOB).get(guarded.url + INFO_ROUTE).status_code == 200


def test_digest_of_somebody_else_opens_nothing(guarded):
    """Fault 36."""
    volume = wire_volume(phantom())
    alice, bob = guarded.session(ALICE), guarded.session(BOB)
    assert guarded.put(volume, alice).status_code == 201
    assert guarded.head(volume, bob).status_code == 404
    answer = guarded.post(volume.digest, ["liver"], bob)
    assert (answer.status_code, report(answer).code) == (404, "volume_unknown")
    assert guarded.put(volume, bob).status_code == 201  # not 200: that would tell that it is here
    assert list(frames(guarded.post(volume.digest, ["liver"], bob), volume))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "localhost.",
        "192.168.0.7",
        "",
        ":80",
        "[::2]",
    ],
)
def test_foreign_host_name_is_refused(server, host):
    """Fault 37."""
    for method, path in (("PUT", volume_path(DIGEST)), ("GET", HEALTH_ROUTE), ("GET", INFO_ROUTE)):
        status, body = ask(server, method, path, Host=host)
        assert (status, body["code"]) == (403, "forbidden")


def test_request_without_host_is_refused(server):
    """Fault 37."""
    with server.connect() as connection:
        connection.sendall(b"GET /v1/info HTTP/1.0\r\n\r\n")
        assert read_answer(connection)[0] == 403


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:80", "LOCALHOST:1", "[::1]:5", "gpu.example.org:443"]
)
def test_own_host_names_are_accepted(guarded, host):
    answer = guarded.session().get(guarded.url + INFO_ROUTE, headers={"Host": host})
    assert answer.status_code == 200


def test_brute_force_is_slowed_down():
    """Fault 38."""
    with ServerProcess(keys=[ALICE]) as server:
        stranger = server.session("x" * 20)
        codes = [stranger.get(server.url + INFO_ROUTE).status_code for _ in range(15)]
        assert codes[:10] == [401] * 10
        assert codes[12:] == [429] * 3
        answer = stranger.get(server.url + INFO_ROUTE)
        assert report(answer).code == "rate_limited"
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
        assert server.session().get(server.url + INFO_ROUTE).status_code == 200


@pytest.mark.parametrize(
    ("method", "authorization"),
    [
        ("GET", None),  # an image on a web page
        ("POST", None),  # a form on one
        ("OPTIONS", None),  # what a browser asks before it sends a key
        ("GET", "Basic dXNlcjpwYXNzd29yZA=="),  # http://user:password@127.0.0.1
        ("GET", ""),
        ("GET", "Bearer"),
        ("GET", "Bearer  "),
        ("GET", "Bearer " + "x" * 20),  # a stranger behind the same address
    ],
)
def test_nobody_else_can_lock_a_key_out(guarded, method, authorization):
    """sv3: eleven requests without a key, of any web page, locked the user's own key out."""
    stranger, friend = guarded.session(""), guarded.session(ALICE)
    stranger.headers["X-Forwarded-For"] = friend.headers["X-Forwarded-For"] = "203.0.113.99"
    if authorization is not None:
        stranger.headers["Authorization"] = authorization
    codes = [stranger.request(method, guarded.url + INFO_ROUTE).status_code for _ in range(20)]
    is_a_try = authorization is not None and "x" in authorization
    assert codes[:10] == [401] * 10
    assert codes[-1] == (429 if is_a_try else 401)
    assert friend.get(guarded.url + INFO_ROUTE).status_code == 200


def test_right_key_is_neither_counted_nor_forgives_wrong_ones(guarded):
    """sv3, variant: tries are those of wrong keys, whatever comes between them."""
    stranger, friend = guarded.session("x" * 20), guarded.session(ALICE)
    stranger.headers["X-Forwarded-For"] = friend.headers["X-Forwarded-For"] = "203.0.113.98"
    for _ in range(15):
        assert friend.get(guarded.url + INFO_ROUTE).status_code == 200
    codes = []
    for _ in range(20):
        codes.append(stranger.get(guarded.url + INFO_ROUTE).status_code)
        assert friend.get(guarded.url + INFO_ROUTE).status_code == 200
    assert (codes[:10], codes[-1]) == ([401] * 10, 429)


def test_forwarded_address_is_the_last_of_all_lines():
    lines = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-for", b"5.6.7.8, 203.0.113.9")]
    assert client_address(("127.0.0.1", 9), Headers(raw=lines), behind_proxy=True) == "203.0.113.9"
    assert client_address(("127.0.0.1", 9), Headers(raw=[]), behind_proxy=True) == "127.0.0.1"


def test_forwarded_address_is_believed_of_a_proxy_only():
    for behind_proxy in (False, True):
        with ServerProcess(keys=[ALICE], behind_proxy=behind_proxy) as server:
            stranger = server.session("x" * 20)
            for number in range(12):
                # The first one is what the client claims, the last one what the proxy has seen.
                stranger.headers["X-Forwarded-For"] = f"1.2.3.{number}, 203.0.113.9"
                stranger.get(server.url + INFO_ROUTE)
            stranger.headers["X-Forwarded-For"] = "203.0.113.10"
            assert stranger.get(server.url + INFO_ROUTE).status_code == (401 if behind_proxy else 429)


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "a" * 63,
        "A" * 64,
        "a" * 65,
        "%00" * 64,
        "a/b",
        "٣" * 64,
    ],
)
def test_only_digests_name_volumes(server, name):
    """Fault 39."""
    before = sorted(server.store.rglob("*"))
    session = server.session()
    for method in ("PUT", "HEAD"):
        request = session.prepare_request(
            requests.Request(method, server.url, headers={"Content-Type": VOLUME_TYPE}, data=b"x")
        )
        request.url = f"{server.url}/v1/volumes/{name}"
        assert session.send(request).status_code in (404, 405, 422)
    assert sorted(server.store.rglob("*")) == before


def test_archives_are_not_unpacked(server):
    """Fault 40."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../evil", "x" * 500)
    answer = server.session().put(
        server.url + volume_path(DIGEST), data=archive.getvalue(), headers={"Content-Type": VOLUME_TYPE}
    )
    assert (answer.status_code, report(answer).code) == (422, "request_invalid")
    assert not list(server.store.rglob("evil"))


def test_logs_hold_nothing_of_a_client(guarded):
    """Fault 43."""
    volume = made_volume((30, 20, 10))
    session = guarded.session(ALICE)
    session.headers["User-Agent"] = "PATIENT^NAME"
    guarded.put(volume, session)
    list(frames(guarded.post(volume.digest, ["left kidney"], session), volume))
    guarded.post(volume.digest, ["doe^john 1970"], session)
    session.get(guarded.url + "/PATIENT^NAME?id=PATIENT^NAME")
    session.post(
        guarded.url + SEGMENT_ROUTE, data=b'{"PATIENT^NAME": 1}', headers={"Content-Type": JSON_TYPE}
    )
    session.request("PATIENT", guarded.url)
    wait_until(lambda: any(e["route"] == "other" for e in guarded.events("request")), "logged")
    log = guarded.log.lower()
    for secret in ("patient", "kidney", "doe", volume.digest, ALICE, "127.0.0.1:5"):
        assert secret.lower() not in log.replace(guarded.url, "")


def test_requests_of_web_pages_are_not_allowed_across_sites(server):
    answer = server.session().options(
        server.url + SEGMENT_ROUTE,
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.status_code >= 400


def test_workers_do_not_inherit_the_key():
    command = [sys.executable, "-m", "textsegment", "serve", "--port", "0", "--announce-json"]
    command += ["--stop-with-stdin", "--segmenter", "textsegment.testing:FakeSegmenter"]
    with ServerProcess(command=command, environment={"TEXTSEGMENT_TOKEN": ALICE}) as server:
        assert server.session("").get(server.url + INFO_ROUTE).status_code == 401
        assert server.session(ALICE).get(server.url + INFO_ROUTE).status_code == 200
        for pid in server.workers():
            assert ALICE.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=a -keyout key.pem -out cert.pem"
    subprocess.run([*command.split(), "-addext", names], check=True, capture_output=True, cwd=folder)
    return folder


def test_speaks_tls(certificate):
    files = {"certfile": str(certificate / "cert.pem"), "keyfile": str(certificate / "key.pem")}
    with ServerProcess(keys=[ALICE], **files) as server:
        assert server.url.startswith("https://")
        session = server.session()
        session.verify = str(certificate / "cert.pem")
        volume = wire_volume(phantom())
        assert server.put(volume, session).status_code == 201
        assert list(frames(server.post(volume.digest, ["liver"], session), volume))


def test_certificate_that_is_none_is_a_clear_error(tmp_path):
    (tmp_path / "cert.pem").write_text("nonsense")
    server = ServerProcess(certfile=str(tmp_path / "cert.pem"))
    assert not server.announced
    assert server.log.strip().splitlines()[-1].startswith("settings_invalid: The certificate")
    server.end()


def test_listens_to_others_only_with_key_and_tls(certificate):
    """Fault 35."""
    server = ServerProcess(host="0.0.0.0")
    assert "settings_invalid: A server that others can reach needs an access key" in server.log
    server.end()
    server = ServerProcess(host="0.0.0.0", keys=[ALICE])
    assert "settings_invalid: A server that others can reach needs TLS" in server.log
    server.end()
    files = {"certfile": str(certificate / "cert.pem"), "keyfile": str(certificate / "key.pem")}
    with ServerProcess(host="0.0.0.0", keys=[ALICE], **files) as server:
        assert server.announced["host"] == "0.0.0.0"
    with ServerProcess(host="0.0.0.0", keys=[ALICE], behind_proxy=True) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert server.session().get(url + INFO_ROUTE).status_code == 200
