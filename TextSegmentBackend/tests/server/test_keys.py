"""Keys with names and ends, read again while the server runs, and who asked for what; sv6 in all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from server_process import ServerProcess, frames, report, wait_until

from textsegment.errors import SettingsError
from textsegment.server.keys import AccessKey, parsed_keys
from textsegment.testing import phantom
from textsegment.wire.contract import INFO_ROUTE, VOLUME_TYPE, volume_path
from textsegment.wire.volumes.codec import wire_volume

ALICE, BOB, OLD, NEW = (name * 20 for name in "abon")
TODAY = datetime.now(timezone.utc).date()


def day(days: int) -> str:
    return (TODAY + timedelta(days=days)).isoformat()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.touch(mode=0o600)
    return file


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(keys, audit):
    lines = (f"alice {ALICE}", BOB, f"old {OLD} until {day(-2)}", f"new {NEW}\tuntil {day(2)}")
    keys.write_text("\n".join(lines))
    with ServerProcess(keys=lines, token_file=str(keys), audit_file=str(audit)) as process:
        yield process


def status(server, key: str) -> int:
    return int(server.session(key).get(server.url + INFO_ROUTE).status_code)


def lines_of(audit) -> list[dict]:
    return [json.loads(line) for line in audit.read_text().splitlines()]


def test_key_that_has_expired_opens_nothing_and_says_so(server):
    assert [status(server, key) for key in (ALICE, BOB, NEW)] == [200, 200, 200]
    refused = server.session(OLD).get(server.url + INFO_ROUTE)
    assert (refused.status_code, report(refused).code) == (401, "unauthorized")
    assert "expired" in report(refused).message


def test_audit_has_a_line_for_each_request(server, audit):
    """sv6: name of the key, digest, structures, result; never patient data."""
    volume = wire_volume(phantom())
    session = server.session(ALICE)
    server.put(volume, session)
    list(frames(server.post(volume.digest, ["liver", "spleen"], session), volume))
    assert server.post(volume.digest, ["doe^john 1970"], session).status_code == 422
    assert server.head(volume, server.session(BOB)).status_code == 404
    wait_until(lambda: len(lines_of(audit)) >= 4 and lines_of(audit)[-1]["method"] == "HEAD", "written")
    put, done, refused, asked = lines_of(audit)[-4:]
    assert (put["key"], put["method"], put["status"], put["digest"]) == ("alice", "PUT", 201, volume.digest)
    assert put["result"] == "done"
    assert (done["structures"], done["result"]) == (["liver", "spleen"], "done")
    assert (refused["structures"], refused["result"]) == ([], "structure_unknown")
    assert asked["key"].startswith("key-")
    text = audit.read_text()
    for secret in (ALICE, BOB, "doe", "1970", "127.0.0.1"):
        assert secret not in text
    assert audit.stat().st_mode & 0o777 == 0o600


def test_audit_has_uploads_that_failed(server, audit):
    volume = wire_volume(phantom())
    path = server.url + volume_path(volume.digest[::-1])
    answer = server.session(ALICE).put(path, data=b"nonsense", headers={"Content-Type": VOLUME_TYPE})
    assert answer.status_code == 422
    wait_until(lambda: lines_of(audit)[-1]["result"] == "request_invalid", "written")
    assert lines_of(audit)[-1]["digest"] == volume.digest[::-1]


def test_audit_goes_on_in_a_new_file_when_the_old_one_is_moved_away(server, audit):
    audit.rename(audit.with_suffix(".1"))
    assert status(server, ALICE) == 200
    wait_until(audit.exists, "a new one is made")


def test_keys_are_read_again(server, keys):
    """sv6: keys reloaded without a restart."""
    before = keys.read_text()
    keys.write_text(f"carol {'c' * 20}\n{BOB}")
    wait_until(lambda: status(server, ALICE) != 200, "the old key opens nothing")
    assert status(server, "c" * 20) == 200
    assert status(server, BOB) == 200
    keys.write_text(before)
    wait_until(lambda: status(server, ALICE) == 200, "the old ones again")


@pytest.mark.parametrize("damage", ["removed", "empty", "short", "open to all", "not text"])
def test_file_that_cannot_be_used_changes_nothing(server, keys, damage):
    """sv6, variant: who makes a mistake in it does not lock everybody out, nor let everybody in."""
    before, said = keys.read_text(), len(server.events("keys_not_read_again"))
    if damage == "removed":
        keys.unlink()
    elif damage == "open to all":
        keys.chmod(0o644)
    else:
        keys.write_bytes({"empty": b"", "short": b"short", "not text": b"\xff\xfe"}[damage])
    session = server.session(ALICE)

    def has_noticed() -> bool:
        assert session.get(server.url + INFO_ROUTE).status_code == 200
        return len(server.events("keys_not_read_again")) > said

    wait_until(has_noticed, "it says so")
    keys.touch(mode=0o600)
    keys.chmod(0o600)
    keys.write_text(before)
    assert status(server, "") == 401


@pytest.mark.parametrize(
    ("line", "name", "last_day"),
    [
        (ALICE, None, None),
        (f"mri-3 {ALICE}", "mri-3", None),
        (f"  dr.x@example.org   {ALICE}  until 2030-02-28 ", "dr.x@example.org", "2030-02-28"),
        (f"{ALICE} until 2030-02-28", None, "2030-02-28"),
    ],
)
def test_lines(line, name, last_day):
    key = AccessKey.from_line(line)
    assert key.key == ALICE
    assert key.name == name or name is None
    assert str(key.last_day) == str(last_day)
    assert ALICE not in repr(key)


@pytest.mark.parametrize(
    "line",
    [
        "short",
        "alice short",
        f"alice {ALICE} until",
        f"alice {ALICE} until tomorrow",
        f"alice {ALICE} until 2030-02-30",
        f"alice smith {ALICE}",
        f"<b> {ALICE}",
        "ä" * 20,
        f"alice {ALICE}\0",
    ],
)
def test_lines_that_cannot_be_read(line):
    with pytest.raises(SettingsError) as refused:
        AccessKey.from_line(line)
    assert ALICE not in str(refused.value)


def test_names_are_unique():
    with pytest.raises(SettingsError, match="same name"):
        parsed_keys([f"alice {ALICE}", f"alice {BOB}"])


def test_key_opens_until_the_end_of_its_last_day():
    assert not AccessKey.from_line(f"{ALICE} until {day(0)}").has_expired
    assert AccessKey.from_line(f"{ALICE} until {day(-1)}").has_expired


def test_audit_file_that_cannot_be_written_is_a_clear_error(tmp_path):
    server = ServerProcess(audit_file=str(tmp_path / "missing" / "audit"))
    server.end()
    assert "settings_invalid: The audit file cannot be written" in server.log
