"""The certificate of the server: what its operator is told, and how it is renewed; sv6 in all of them."""

from __future__ import annotations

import shutil
import socket
import ssl

import pytest
from certificates import Authority
from server_process import ServerProcess, wait_until

from textsegment.server.http.certificate import Certificate
from textsegment.wire.contract import METRICS_ROUTE

KEY = "k" * 20


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def made(authority, tmp_path, *, expired: bool = False, mode: int = 0o600):
    file = tmp_path / "server.pem"
    shutil.copy(authority.issue("127.0.0.1", expired=expired), file)
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("expired", "mode", "said"),
    [
        (False, 0o600, ["expires in 1 days"]),
        (True, 0o600, ["not valid today"]),
        (False, 0o640, ["expires in 1 days"]),
        (False, 0o644, ["can read the private key", "expires in 1 days"]),
        (True, 0o604, ["can read the private key", "not valid today"]),
    ],
)
def test_operator_is_warned(authority, tmp_path, expired, mode, said):
    """sv6: of expired certificates, and private keys that everybody can read."""
    warnings = Certificate(made(authority, tmp_path, expired=expired, mode=mode), None).warnings()
    assert len(warnings) == len(said)
    assert all(words in warning for words, warning in zip(said, warnings, strict=True))


def test_key_in_a_file_of_its_own_is_the_one_that_counts(authority, tmp_path):
    both = made(authority, tmp_path, mode=0o644)
    key = tmp_path / "server.key"
    shutil.copy(both, key)
    key.chmod(0o600)
    assert not any("private key" in warning for warning in Certificate(both, key).warnings())


def seen_by_a_client(server, authority) -> int:
    context = ssl.create_default_context(cafile=str(authority.file))
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        return int(connection.getpeercert()["serialNumber"], 16)


def test_renewed_certificate_is_used_without_a_restart(authority, tmp_path):
    """sv6, variant: certificates live for months, servers longer."""
    file = made(authority, tmp_path)
    with ServerProcess(keys=[KEY], certfile=str(file)) as server:
        wait_until(lambda: server.events("warning"), "it warns")
        assert "expires in 1 days" in server.events("warning")[0]["message"]
        session = server.session()
        session.verify = str(authority.file)
        assert "textsegment_certificate_days_left 0.9" in session.get(server.url + METRICS_ROUTE).text
        before = seen_by_a_client(server, authority)
        good = file.read_bytes()
        file.write_bytes(good[: len(good) // 2])
        wait_until(lambda: server.events("certificate_not_read_again"), "it says so")
        assert seen_by_a_client(server, authority) == before
        shutil.copy(authority.issue("127.0.0.1"), file)
        wait_until(lambda: seen_by_a_client(server, authority) != before, "the new one is shown")
