"""The configuration of nginx in ``deploy/``, with nginx, where there is one."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from certificates import Authority
from server_process import ServerProcess, raw_request, read_answer, wait_until
from uploads import long_volume

from textsegment.client.remote import RemoteSegmenter
from textsegment.segmenter import MaskReady
from textsegment.testing import phantom
from textsegment.wire.contract import NEXT_CHUNK_HEADER, VOLUME_TYPE, volume_path
from textsegment.wire.volumes.codec import encode_volume, wire_volume
from textsegment.wire.volumes.header import CHUNK_BYTES, Encoding

BACKEND = Path(__file__).parents[2]


DEPLOY = BACKEND / "deploy"


KEY = "key-of-the-deployment-tests"


NAME = "segment.example.org"


with_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def server():
    with ServerProcess(
        arguments=[{"seconds": 0.3}], keys=(KEY,), behind_proxy=True, allowed_hosts=(NAME,)
    ) as process:
        yield process


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def running_nginx(name, changes, authority, folder):
    """Run nginx with a configuration of ours, changed to run here; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    certificate = authority.issue("localhost", NAME)
    ours = (DEPLOY / name).read_text()
    changes = {
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "    listen [::]:443 ssl http2;\n": "",
        f"/etc/nginx/tls/{NAME}.pem": str(certificate),
        f"/etc/nginx/tls/{NAME}.key": str(certificate),
        **changes,
    }
    for before, after in changes.items():
        assert before in ours
        ours = ours.replace(before, after)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;"
        f"events {{}} http {{ access_log off; {temporary} {ours} }}"
    )
    nginx = subprocess.Popen(["nginx", "-c", str(whole), "-p", str(folder)], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: listens(port) or nginx.poll() is not None, "nginx")
        assert nginx.poll() is None, nginx.stderr.read()
        yield port
    finally:
        nginx.terminate()
        nginx.communicate(timeout=120)


@pytest.fixture(scope="module")
def port(server, authority, tmp_path_factory):
    """The port of nginx with our configuration in front of the server."""
    changes = {"server 127.0.0.1:8765;": f"server 127.0.0.1:{server.port};"}
    with running_nginx("nginx.conf", changes, authority, tmp_path_factory.mktemp("nginx")) as port:
        yield port


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def remote(port, authority):
    with RemoteSegmenter(f"https://localhost:{port}", KEY, ca_file=authority.file) as segmenter:
        yield segmenter


@pytest.fixture
def connect(port, authority):
    """Opens bare connections to nginx."""
    context = ssl.create_default_context(cafile=authority.file)
    connections = []

    def make():
        plain = socket.create_connection(("127.0.0.1", port), timeout=120)
        connections.append(context.wrap_socket(plain, server_hostname=NAME))
        return connections[-1]

    yield make
    for connection in connections:
        connection.close()


def put_request(digest, length, key=KEY, **headers):
    return raw_request(
        "PUT",
        volume_path(digest),
        {
            "Host": NAME,
            "Authorization": f"Bearer {key}",
            "TextSegment-Protocol": "1",
            "Content-Type": VOLUME_TYPE,
            "Content-Length": str(length),
            **headers,
        },
    )


@with_nginx
def test_masks_come_through_nginx_one_by_one(server, remote):
    ended_before = []

    def on_event(event):
        if isinstance(event, MaskReady):
            ended_before.append(len(server.events("job")))

    before = len(server.events("job"))
    assert len(remote.segment(phantom(), ["liver", "aorta", "heart"], on_event=on_event)) == 3
    assert ended_before[:2] == [before, before]


@with_nginx
def test_large_uploads_come_through_nginx(remote):
    assert len(remote.segment(long_volume(24), ["liver"])) == 1


@with_nginx
def test_a_wrong_key_is_refused_before_the_body(connect):
    connection = connect()
    connection.sendall(put_request("0" * 64, 2**30, key="x" * 32))
    assert read_answer(connection)[0] == 401


@with_nginx
def test_a_body_beyond_the_limit_is_refused_at_once(connect):
    connection = connect()
    connection.sendall(put_request("0" * 64, 2**32))
    assert read_answer(connection)[0] == 413


@with_nginx
def test_a_broken_upload_goes_on_behind_nginx(server, remote, connect):
    """Fault 50."""
    volume = wire_volume(long_volume(5))
    body = b"".join(encode_volume(volume, Encoding.RAW))
    session, connection = server.session(), connect()
    before = upload_bytes(server, session)
    connection.sendall(put_request(volume.digest, len(body)) + body[: len(body) // 2])
    wait_until(lambda: upload_bytes(server, session) - before > 4 * CHUNK_BYTES, "the first half")
    connection.close()
    wait_until(lambda: next_chunk(server, volume, session) > 0, "the end of the upload")
    whole = sum(len(piece) for piece in encode_volume(volume, Encoding.DEFLATED))
    before = upload_bytes(server, session)
    assert len(remote.segment(volume, ["liver"])) == 1
    assert 0 < upload_bytes(server, session) - before < whole


def next_chunk(server, volume, session):
    return int(server.head(volume, session).headers[NEXT_CHUNK_HEADER])


def upload_bytes(server, session):
    text = session.get(server.url + "/metrics", timeout=120).text
    return float(re.search(r"^textsegment_upload_bytes_total (\S+)$", text, re.MULTILINE)[1])


@with_nginx
def test_a_client_that_goes_is_noticed_behind_nginx(server, port, authority):
    """Fault 47."""
    volume = wire_volume(phantom())
    server.put(volume)
    many = server.session().get(server.url + "/v1/info", timeout=120).json()["structures"]["CT"][:200]
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"Authorization": f"Bearer {KEY}", "TextSegment-Protocol": "1"})
        url = f"https://localhost:{port}/v1/segment"
        asked = {"volume": volume.digest, "prompts": many}
        answer = session.post(url, json=asked, verify=authority.file, stream=True, timeout=120)
        assert answer.status_code == 200
        next(answer.iter_content(None))
        answer.close()
    wait_until(lambda: any(e["outcome"] == "cancelled" for e in server.events("job")), "the end of the job")


@with_nginx
def test_nobody_can_pretend_another_address_to_nginx(connect):
    """Fault 38."""
    statuses = []
    for number in range(12):
        connection = connect()
        forwarded = {"X-Forwarded-For": f"192.0.2.{number}"}
        connection.sendall(put_request("0" * 64, 10, key=f"{'wrong' * 8}{number}", **forwarded))
        statuses.append(read_answer(connection)[0])
    assert statuses[0] == 401
    assert statuses[-1] == 429


class SignedIn(BaseHTTPRequestHandler):
    """Stands where oauth2-proxy does: knows two people by their tokens, and one whom we do not know."""

    def do_GET(self) -> None:
        token = (self.headers["Authorization"] or "").removeprefix("Bearer token-of-")
        is_known = token in ("alice", "bob", "mallory")
        self.send_response(202 if is_known else 401)
        if is_known:
            self.send_header("X-Auth-Request-Email", f"{token}@example.org")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@with_nginx
def test_people_who_sign_in_have_keys_of_their_own(authority, tmp_path):
    """sv6: OIDC in front of the server. nginx is real; a stand-in answers for the identity provider."""
    keys, audit = tmp_path / "keys", tmp_path / "audit"
    lines = [f"{name} {name * 5}-{'k' * 10}" for name in ("alice", "bob")]
    (tmp_path / "keys.map").write_text(
        "".join(f'"{name}@example.org" "{key}";\n' for name, key in map(str.split, lines))
    )
    keys.write_text("\n".join(lines))
    signing = ThreadingHTTPServer(("127.0.0.1", 0), SignedIn)
    threading.Thread(target=signing.serve_forever, daemon=True).start()
    settings = {"behind_proxy": True, "allowed_hosts": (NAME,), "audit_file": str(audit)}
    with ServerProcess(keys=lines, **settings) as server:
        changes = {
            "server 127.0.0.1:8765;": f"server 127.0.0.1:{server.port};",
            "server 127.0.0.1:4180;": f"server 127.0.0.1:{signing.server_address[1]};",
            "/etc/nginx/textsegment-keys.map": str(tmp_path / "keys.map"),
        }
        with running_nginx("nginx-oidc.conf", changes, authority, tmp_path) as port:
            url = f"https://localhost:{port}"
            with RemoteSegmenter(url, "token-of-alice", ca_file=authority.file) as alice:
                assert len(alice.segment(phantom(), ["liver"])) == 1
            statuses = {}
            for who in ("alice", "bob", "mallory", "nobody"):
                with requests.Session() as session:
                    session.trust_env = False
                    session.headers["TextSegment-Protocol"] = "1"
                    session.headers["Authorization"] = f"Bearer token-of-{who}"
                    session.headers["X-Auth-Request-Email"] = "alice@example.org"  # so it says itself
                    path = volume_path(wire_volume(phantom()).digest)
                    statuses[who] = session.head(url + path, verify=authority.file, timeout=120).status_code
            assert statuses == {"alice": 200, "bob": 404, "mallory": 401, "nobody": 401}
    signing.shutdown()
    signing.server_close()
    assert {json.loads(line)["key"] for line in audit.read_text().splitlines()} == {"alice", "bob"}
