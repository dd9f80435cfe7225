"""The files in ``deploy/``: run where that is possible, checked otherwise."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import tomllib
import yaml
from certificates import Authority
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
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


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path):
    unit = tmp_path / "textsegment.service"
    text = (DEPLOY / "textsegment.service").read_text()
    unit.write_text(text.replace("/opt/textsegment/bin/textsegment", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["deploy/textsegment.service", "deploy/Dockerfile", "docs/deployment.md"])
def test_the_options_are_those_of_the_command(name):
    text = (BACKEND / name).read_text()
    used = set()
    for command in re.findall(r"textsegment[\"', ]+serve\b((?:\\\n|[^\n])*)", text):
        used |= set(re.findall(r"--[a-z-]+", command))
    assert used
    done = subprocess.run(
        [sys.executable, "-m", "textsegment", "serve", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        env={"COLUMNS": "200", "PATH": "", "NO_COLOR": "1", "TERM": "dumb"},
    )
    assert used <= set(re.findall(r"--[a-z-]+", done.stdout)) | {"--help"}


@pytest.mark.parametrize("extras", ["engine,server", "engine,ray"])
def test_the_container_installs_what_the_package_needs_by_version_and_hash(extras):
    """sv6: every package that pyproject.toml asks for is locked, at a version that it accepts."""
    project = tomllib.loads((BACKEND / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for extra in extras.split(",") for line in optional[extra])]
    wanted = [*wanted, *(optional["server"] if "ray" in extras else ())]
    text = (DEPLOY / f"requirements-{extras}.txt").read_text()
    entries = re.findall(
        r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M
    )
    locked = {name: Version(version) for name, version, _ in entries}
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert len(entries) == len(lines)
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"python_version": "3.12"}):
            continue
        if (name := canonicalize_name(requirement.name)) != "textsegment":
            assert requirement.specifier.contains(locked[name]), name


def test_the_container_is_built_from_what_is_there():
    """sv6: its base by digest, what it copies, and the demo model inside."""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON=python:3\.\d+-slim@sha256:[0-9a-f]{64}$", text, re.M)
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${PYTHON}"}
    assert "--require-hashes" in text
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
        for name in line.split():
            assert (BACKEND / name.replace("${EXTRAS}", "engine,server")).exists(), name
    (check,) = re.findall(r'^RUN python -c "(.*)"$', text, re.M)
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`")  # Ray's
def test_ray_accepts_the_configuration():
    from ray.serve.schema import ServeDeploySchema

    from textsegment.server.engines.ray.app import AppArguments

    kuberay = next(yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text()))
    for text in ((DEPLOY / "ray-serve.yaml").read_text(), kuberay["spec"]["serveConfigV2"]):
        (application,) = ServeDeploySchema.model_validate(yaml.safe_load(text)).applications
        assert application.import_path == "textsegment.server.engines.ray.app:app"
        arguments = AppArguments.model_validate(application.args)
        assert arguments.replicas.most == 4
        assert arguments.server["behind_proxy"]
