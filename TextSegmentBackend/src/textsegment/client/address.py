"""Server addresses and access keys, validated before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from requests.utils import get_environ_proxies

from textsegment.errors import SettingsError

_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)
_EXAMPLE = "Give it like https://gpu.example.org or http://127.0.0.1:8000."


class Address:
    """The address of a server, free of credentials.

    Args:
        url: URL with scheme, host, port and, behind a reverse proxy, the path of the server.
        allow_plain_http: Whether scans and key may be sent to another computer unencrypted.

    Attributes:
        url: Normalised URL without a trailing slash; safe to display.
        is_loopback: Whether the server is on this computer.
        is_encrypted: Whether the connection uses TLS.

    Raises:
        SettingsError: The text is not a server address, contains a user name or password, or uses plain http
            to another computer although that is not allowed.
    """

    def __init__(self, url: str, *, allow_plain_http: bool = False) -> None:
        parts, port = _split(url)
        host = (parts.hostname or "").lower()
        if parts.username is not None or parts.password is not None:
            raise SettingsError(
                "The address of the server holds a user name or a password.",
                "Leave it out and give the key of the server by itself.",
            )
        if parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
            raise SettingsError("The address of the server has an unusual path.", _EXAMPLE)
        shown = f"[{host}]" if ":" in host else host
        place = shown if port is None else f"{shown}:{port}"
        self.url = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
        self.is_loopback = _is_loopback(host)
        self.is_encrypted = parts.scheme == "https"
        if not (self.is_encrypted or self.is_loopback or allow_plain_http):
            raise SettingsError(
                "Plain http to another computer would show key and scans to everybody on the way.",
                "Use https, or allow it for a network that you trust (--allow-plain-http).",
            )

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    def proxies(self, given: Mapping[str, str] | None) -> dict[str, str]:
        """Return the proxies to use for this server, by scheme.

        Args:
            given: Proxies by scheme; None for those of the environment (``HTTPS_PROXY``, ``NO_PROXY`` or the
                system settings). No proxy is ever used for a server on this computer.
        """
        if self.is_loopback:
            return {}
        return dict(get_environ_proxies(self.url) if given is None else given)


def checked_key(key: str | None) -> str | None:
    """Return an access key without the trailing newline of key files; None stays None.

    Raises:
        SettingsError: The key cannot be sent in a header; the message does not repeat it.
    """
    if key is None:
        return None
    key = key.strip()
    if not _KEY.fullmatch(key):
        raise SettingsError("The key of the server is empty, too long, or has characters that no key has.")
    return key


def _split(url: str) -> tuple[SplitResult, int | None]:
    """Split a typed URL; exceptions of the parser may repeat it, so they are not chained."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SettingsError("The address of the server cannot be understood.", _EXAMPLE) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise SettingsError("The address of the server needs http:// or https:// and a name.", _EXAMPLE)
    if not text.isascii() or not text.isprintable() or re.search(r"[\s\\]", text):
        raise SettingsError("The address of the server has characters that no address has.", _EXAMPLE)
    return parts, port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
