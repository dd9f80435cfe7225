"""Access control: host name, access key, and the rate of wrong keys."""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence

from starlette.datastructures import Headers

from textsegment.errors import ForbiddenError, RateLimitedError, RequestError, UnauthorizedError
from textsegment.server.keys import AccessKey, KeyRing
from textsegment.server.settings import ServerSettings

NOBODY = "nobody"
"""Owner of everything on a server without keys."""

# A name or an address, and a port; no user name or password.
_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[0-9a-z._-]*)(:[0-9]{0,5})?", re.IGNORECASE)
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_MOST_ADDRESSES = 4096
_FREE_TRIES = 10
_TRIES_PER_S = 0.2


class HostCheck:
    """Accepts requests that are addressed to a name of this server.

    A web page can make its own host name point to this computer (DNS rebinding), but it cannot change the
    name in the ``Host`` header.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._names = {*_LOOPBACK_NAMES, *(name.lower() for name in settings.allowed_hosts)}
        self._accepts_addresses = not settings.is_loopback
        if self._accepts_addresses:
            self._names.add(socket.gethostname().lower())
        if not _is_address(settings.host):
            self._names.add(settings.host.lower())

    def require(self, header: str | None) -> None:
        """Check the ``Host`` header.

        Raises:
            ForbiddenError: If it does not name this server.
        """
        name = _without_port(header or "").lower()
        if name not in self._names and not (self._accepts_addresses and _is_address(name.strip("[]"))):
            raise ForbiddenError(
                "This server is not known under the name in the request.",
                "Its operator can add the name with --allowed-host.",
            )


def require_one_host(target: bytes, hosts: Sequence[bytes]) -> None:
    """Check that a request names one host only, since a proxy could look at one and we at another.

    Args:
        target: Target in the request line: a path or an absolute URL.
        hosts: Values of all its ``Host`` headers.

    Raises:
        RequestError: If it names several hosts, or something that is not a host.
    """
    host = hosts[0] if hosts else b""
    named = host
    if not target.startswith((b"/", b"*")):
        scheme, mark, rest = target.partition(b"://")
        named = re.split(rb"[/?#]", rest if mark else scheme)[0]
    if len(hosts) > 1 or named.lower() != host.lower() or not _HOST.fullmatch(host):
        raise RequestError("The request has to name one host, without a user.")


class KeyCheck:
    """Accepts requests with one of the access keys.

    Args:
        ring: Access keys of the server; if there are none, every request is accepted.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._tries = TryTable()

    def key(self, authorization: str | None, address: str) -> AccessKey | None:
        """Return the access key of a request; None if the server has no keys.

        A valid key always passes, and only a wrong one counts as an attempt: a stranger at the same address,
        or a page in the user's own browser, which can send requests but no keys, must not lock anyone out.

        Raises:
            RateLimitedError: If the key is wrong, after too many wrong ones from this address.
            UnauthorizedError: If the key is missing, wrong or expired.
        """
        keys = self._ring.keys()
        if not keys:
            return None
        scheme, _, given = (authorization or "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        # All keys are compared, in constant time, so that timing reveals nothing about them.
        secret = given.encode("utf-8", "replace")
        matches = [hmac.compare_digest(secret, key.key.encode()) for key in keys]
        if any(matches):
            found = keys[matches.index(True)]
            if found.has_expired:
                raise UnauthorizedError(
                    "The access key has expired.", "Ask the operator of the server for a new one."
                )
            return found
        if given:
            self._tries.require(address)
            self._tries.count(address)
        raise UnauthorizedError(
            "The access key is missing or wrong.", "Ask the operator of the server for one."
        )


class TryTable:
    """Counts wrong keys by address: a leaky bucket per address, in a table of bounded size."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def require(self, address: str) -> None:
        """Refuse an address that has sent too many wrong keys.

        Raises:
            RateLimitedError: If there were too many, with the seconds to wait.
        """
        over = self._level(address) - _FREE_TRIES
        if over >= 0:
            raise RateLimitedError(
                "Too many wrong access keys came from your address.",
                "Wait, then use the right one.",
                max(1, math.ceil(over / _TRIES_PER_S)),
            )

    def count(self, address: str) -> None:
        """Count a wrong key from an address."""
        self._levels[address] = (self._level(address) + 1, time.monotonic())
        self._levels.move_to_end(address)
        if len(self._levels) > _MOST_ADDRESSES:
            self._levels.popitem(last=False)

    def _level(self, address: str) -> float:
        level, then = self._levels.get(address, (0.0, 0.0))
        return max(0.0, level - (time.monotonic() - then) * _TRIES_PER_S)


def client_address(scope_client: object, headers: Headers, *, behind_proxy: bool) -> str:
    """Return the address of the client: behind a proxy, the last one in ``X-Forwarded-For``."""
    # A proxy may append its own header line after one forged by the client.
    forwarded = headers.getlist("x-forwarded-for") if behind_proxy else []
    last = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    if _is_address(last):
        return _network(last)
    return _network(scope_client[0]) if isinstance(scope_client, (tuple, list)) else ""


def _network(address: str) -> str:
    """Return the address, or the /64 network of an IPv6 address, since one client usually owns all of it."""
    parsed = ipaddress.ip_address(address) if _is_address(address) else None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
