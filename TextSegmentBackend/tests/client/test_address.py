"""Addresses, keys and proxies: checked before anything is sent."""

import pytest

from textsegment.client.address import Address, checked_key
from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import SettingsError


@pytest.mark.parametrize(
    ("typed", "url", "is_loopback"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", True),
        (" http://localhost:8000/ ", "http://localhost:8000", True),
        ("http://[::1]:8000", "http://[::1]:8000", True),
        ("http://127.5.5.5", "http://127.5.5.5", True),
        ("https://GPU.example.org/", "https://gpu.example.org", False),
        (
            "https://gpu.example.org:8443/apps/textsegment/",
            "https://gpu.example.org:8443/apps/textsegment",
            False,
        ),
        ("https://localhost.example.org", "https://localhost.example.org", False),
    ],
)
def test_addresses_in_normal_form(typed, url, is_loopback):
    address = Address(typed)
    assert (address.url, address.is_loopback) == (url, is_loopback)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "gpu.example.org",
        "gpu.example.org:8000",
        "ftp://gpu.example.org",
        "file:///etc/passwd",
        "https://",
        "https://:8000",
        "https://gpu.example.org:0",
        "https://gpu.example.org:99999",
        "https://gpu.example.org:port",
        "https://[::1",
        "https://gpu.example.org/?token=1",
        "https://gpu.example.org/#top",
        "https://gpu.example.org/../admin",
        "https://gpu.example.org/a/./b",
        "https://gpu.example.org//other",
        "https://gpu.example.org/%2e%2e/admin",
        "https://gpu.example.org\\@evil.example.org",
        "https://gpu.example.org\r\nX-Header: 1",
        "https://gpu .example.org",
        "https://bücher.example.org",
    ],
)
def test_what_is_no_address_of_a_server(typed):
    with pytest.raises(SettingsError) as caught:
        Address(typed)
    assert caught.value.hint


@pytest.mark.parametrize("typed", ["https://user:secret@gpu.example.org", "https://secret@gpu.example.org"])
def test_credentials_in_the_address_are_refused_and_not_repeated(typed):
    with pytest.raises(SettingsError) as caught:
        Address(typed)
    assert "secret" not in str(caught.value)


def test_plain_http_to_another_computer_has_to_be_allowed():
    for url in ("http://gpu.example.org", "http://10.0.0.7:8000", "http://localhost.example.org"):
        with pytest.raises(SettingsError, match="Plain http"):
            RemoteSegmenter(url, "key")
        assert not Address(url, allow_plain_http=True).is_loopback


def test_proxies_come_from_arguments_or_the_environment_and_never_stand_before_loopback(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    away = Address("https://gpu.example.org")
    assert away.proxies(None)["https"] == "http://proxy.example.org:3128"
    assert away.proxies({"https": "http://other:1"}) == {"https": "http://other:1"}
    assert away.proxies({}) == {}
    monkeypatch.setenv("no_proxy", "gpu.example.org")
    assert "https" not in away.proxies(None)
    here = Address("https://127.0.0.1:8000")
    assert here.proxies(None) == here.proxies({"https": "http://other:1"}) == {}


def test_a_key_is_taken_without_the_line_end_of_its_file():
    assert checked_key("abc-DEF_123\n") == "abc-DEF_123"
    assert checked_key(None) is None


@pytest.mark.parametrize("key", ["", " \n", "two words", "line\r\nX-Header: 1", "schlüssel", "x" * 513])
def test_what_cannot_be_a_key_is_not_repeated(key):
    with pytest.raises(SettingsError) as caught:
        checked_key(key)
    assert not key.strip() or key not in str(caught.value)


def test_a_ca_file_that_cannot_be_read(tmp_path):
    (tmp_path / "no.pem").write_text("not PEM")
    for file in (tmp_path / "missing.pem", tmp_path / "no.pem"):
        with pytest.raises(SettingsError, match="certificate authorities"):
            RemoteSegmenter("https://gpu.example.org", ca_file=file)
