"""Settings that would let strangers in, or cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest

from textsegment.errors import SettingsError
from textsegment.server.settings import KEY_VARIABLE, ServerSettings, read_keys
from textsegment.wire.limits import Limits

KEY = "k" * 16
PEM = Path("cert.pem")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "localhost", "::1"])
def test_loopback_needs_neither_key_nor_tls(host):
    assert ServerSettings(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gpu.example.org", ""])
def test_other_addresses_need_key_and_tls(host):
    """Fault 35."""
    for missing in ({}, {"certfile": PEM}, {"keys": (KEY,)}, {"behind_proxy": True}):
        with pytest.raises(SettingsError):
            ServerSettings(host=host, **missing)
    assert not ServerSettings(host=host, keys=(KEY,), certfile=PEM).is_loopback
    assert not ServerSettings(host=host, keys=(KEY,), behind_proxy=True).is_loopback


def test_loopback_behind_a_proxy_needs_a_key():
    """Fault 35."""
    with pytest.raises(SettingsError, match="key"):
        ServerSettings(behind_proxy=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65536},
        {"keys": ("short",)},
        {"keys": (KEY, "ümlaut-in-the-key")},
        {"keys": (KEY + "\n",)},
        {"keys": ("a key with spaces in it",)},
        {"keyfile": PEM},
        {"max_queue": 0},
        {"stop_grace_s": -1},
        {"stop_grace_s": float("nan")},
        {"head_timeout_s": float("inf")},
        {"store_bytes": 2**20},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(SettingsError):
        ServerSettings(**wrong)


def test_keys_are_not_shown():
    assert KEY not in repr(ServerSettings(keys=(KEY,)))


def test_keys_are_read_one_a_line(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# of the department\n{KEY}1\n\n  {KEY}2  \n")
    file.chmod(0o600)
    assert read_keys(file) == (f"{KEY}1", f"{KEY}2")


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o660])
def test_keys_that_other_users_can_see_or_change_are_refused(tmp_path, mode):
    file = tmp_path / "keys"
    file.write_text(KEY)
    file.chmod(mode)
    with pytest.raises(SettingsError, match="Other users"):
        read_keys(file)


def test_file_without_keys_is_refused(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# none yet\n")
    file.chmod(0o600)
    with pytest.raises(SettingsError, match="none"):
        read_keys(file)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_keys(tmp_path / "missing")


def test_key_of_the_environment_is_taken_out_of_it(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert read_keys(None) == (KEY,)
    assert read_keys(None) == ()


def test_store_must_hold_a_volume():
    ServerSettings(store_bytes=2**20, limits=Limits(max_volume_bytes=2**20))
