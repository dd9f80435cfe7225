"""Who may come in: host name, key, and how often one may try."""

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

# A name, or an address, and a port; nobody's name and password.
_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[0-9a-z._-]*)(:[0-9]{0,5})?", re.IGNORECASE)
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_MOST_ADDRESSES = 4096
_FREE_TRIES = 10
_TRIES_PER_S = 0.2


class HostCheck:
    """Accepts requests that were sent to a name of this server.

    A page in a browser can make its own name point to this computer (DNS rebinding), but it cannot change the
    name in the header ``Host``.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._names = {*_LOOPBACK_NAMES, *(name.lower() for name in settings.allowed_hosts)}
        self._accepts_addresses = not settings.is_loopback
        if self._accepts_addresses:
            self._names.add(socket.gethostname().lower())
        if not _is_address(settings.host):
            self._names.add(settings.host.lower())

    def require(self, header: str | None) -> None:
        """Check the header ``Host``.

        Raises:
            ForbiddenError: It is not one of ours.
        """
        name = _without_port(header or "").lower()
        if name not in self._names and not (self._accepts_addresses and _is_address(name.strip("[]"))):
            raise ForbiddenError(
                "This server is not known under the name in the request.",
                "Its operator can add the name with --allowed-host.",
            )


def require_one_host(target: bytes, hosts: Sequence[bytes]) -> None:
    """Check that a request does not name two hosts, of which a proxy could see the one and we the other.

    Args:
        target: What stands in its first line: a path, or a whole address.
        hosts: All its headers ``Host``.

    Raises:
        RequestError: It does, or what it names is no host.
    """
    host = hosts[0] if hosts else b""
    named = host
    if not target.startswith((b"/", b"*")):
        scheme, mark, rest = target.partition(b"://")
        named = re.split(rb"[/?#]", rest if mark else scheme)[0]
    if len(hosts) > 1 or named.lower() != host.lower() or not _HOST.fullmatch(host):
        raise RequestError("The request has to name one host, without a user.")


class KeyCheck:
    """Accepts requests with one of the keys.

    Args:
        ring: All of them; none means that everybody may come in.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._tries = TryTable()

    def key(self, authorization: str | None, address: str) -> AccessKey | None:
        """Return the key of a request; None if there are none.

        A right key always passes, and only a wrong one counts as a try: a stranger at the same address, or a
        page in the user's own browser, which can send requests but no keys, must not lock anybody out.

        Raises:
            RateLimitedError: The key is wrong, as too many from this address were before.
            UnauthorizedError: The key is missing or wrong, or has expired.
        """
        keys = self._ring.keys()
        if not keys:
            return None
        scheme, _, given = (authorization or "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        # All are compared, in constant time: the answer takes as long for each of them.
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
    """Counts wrong keys by address: a bucket that leaks, in a table that does not grow."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def require(self, address: str) -> None:
        """Refuse an address that has tried too often.

        Raises:
            RateLimitedError: With the seconds to wait.
        """
        over = self._level(address) - _FREE_TRIES
        if over >= 0:
            raise RateLimitedError(
                "Too many wrong access keys came from your address.",
                "Wait, then use the right one.",
                max(1, math.ceil(over / _TRIES_PER_S)),
            )

    def count(self, address: str) -> None:
        """Note a wrong key."""
        self._levels[address] = (self._level(address) + 1, time.monotonic())
        self._levels.move_to_end(address)
        if len(self._levels) > _MOST_ADDRESSES:
            self._levels.popitem(last=False)

    def _level(self, address: str) -> float:
        level, then = self._levels.get(address, (0.0, 0.0))
        return max(0.0, level - (time.monotonic() - then) * _TRIES_PER_S)


def client_address(scope_client: object, headers: Headers, *, behind_proxy: bool) -> str:
    """Return the address of the client; the last one that the proxy has added, if there is one."""
    # A proxy may add a line of its own behind the one that the client has made up.
    forwarded = headers.getlist("x-forwarded-for") if behind_proxy else []
    last = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    if _is_address(last):
        return _network(last)
    return _network(scope_client[0]) if isinstance(scope_client, (tuple, list)) else ""


def _network(address: str) -> str:
    """IPv6 by /64: whoever has one address has them all."""
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
