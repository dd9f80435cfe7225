"""HTTP transport to one server: one connection at a time, bounded waits and typed errors."""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from textsegment.client.address import Address
from textsegment.client.connection import ConnectionGuard, GuardedAdapter
from textsegment.client.failures import PROXY_WANTS_PASSWORD, explained
from textsegment.errors import ServerUnreachableError, SettingsError, StreamBrokenError
from textsegment.wire.contract import PROTOCOL_HEADER, PROTOCOL_VERSION, version_mismatch
from textsegment.wire.failures import MAX_REPORT_BYTES, error_from_answer

_PIECE_BYTES = 2**16
LEAST_BYTES_PER_S = 1024
"""Slowest transfer rate worth waiting for."""
_SAID_BY_PROXIES = {
    407: PROXY_WANTS_PASSWORD,
    502: ("The proxy before the server does not reach it.", "Ask the operator of the server."),
    504: ("The proxy before the server gets no answer from it.", "Ask the operator of the server."),
}


@dataclass(frozen=True)
class Timeouts:
    """Time limits of a client, in seconds.

    Attributes:
        connect_s: Limit for establishing a connection.
        upload_s: Limit for sending one piece of an upload (256 KiB).
        answer_s: Limit for the headers of a response after the last byte of the request, and for the whole of
            a short response.
        silence_s: Limit for the next byte of a response, and for the next frame of a stream (plus one second
            per KiB of it). A server is never silent for more than 10 seconds.
        recovery_s: Total time allowed for a server that was reached and then lost to come back.
        busy_s: Total time to wait for a place in the queue of a busy server.
    """

    connect_s: float = 10.0
    upload_s: float = 60.0
    answer_s: float = 60.0
    silence_s: float = 40.0
    recovery_s: float = 90.0
    busy_s: float = 300.0


class ServerResponse:
    """A successful response of the server whose body has not been read yet.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, response: requests.Response, url: str, guard: ConnectionGuard) -> None:
        self.status = response.status_code
        self._guard = guard
        self.is_read = False
        self._response = response
        self._url = url

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None if it is missing."""
        return self._response.headers.get(name)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it arrives, in pieces of at most 64 KiB."""
        patience_s = self._guard.silence_s + _PIECE_BYTES / LEAST_BYTES_PER_S
        with explained(self._url), self._guard.within(patience_s) as deadline:
            for piece in self._response.raw.stream(_PIECE_BYTES, decode_content=False):
                deadline.put_off(math.inf)  # the consumer may take as long as it likes
                yield piece
                deadline.put_off(patience_s)
        self.is_read = True

    def body(self, most: int) -> bytes:
        """Return the whole body.

        Raises:
            StreamBrokenError: The body has more than ``most`` bytes.
        """
        body = bytearray()
        with explained(self._url), self._guard.within(self._guard.answer_s):
            for piece in self._response.raw.stream(_PIECE_BYTES, decode_content=False):
                body += piece
                if len(body) > most:
                    raise StreamBrokenError("The answer is longer than it can be.")
        self.is_read = True
        return bytes(body)


class Transport:
    """HTTP transport to one server over one connection, which any thread may cut.

    Args:
        address: Address of the server.
        key: Access key of the server, or None.
        timeouts: Time limits.
        proxies: Proxies by scheme.
        ca_file: PEM file of the only certificate authorities to trust; None for those of the system
            (``SSL_CERT_FILE``) and of requests.

    Attributes:
        silence_s: Seconds for which a server that has begun to respond may be silent.

    Raises:
        SettingsError: The CA file is missing or contains no certificate.
    """

    def __init__(
        self,
        address: Address,
        key: str | None,
        timeouts: Timeouts,
        proxies: Mapping[str, str],
        ca_file: Path | str | None = None,
    ) -> None:
        self._url = address.url
        self._timeout = (timeouts.connect_s, timeouts.answer_s)
        self._guard = ConnectionGuard(timeouts.upload_s, timeouts.answer_s, timeouts.silence_s)
        self.silence_s = timeouts.silence_s
        self._headers = _headers(key)
        self._proxies = dict(proxies)
        self._verify = True if ca_file is None else str(ca_file)
        # Not a ``requests.Session``: it reads .netrc, which would replace the key, and looks into redirects.
        self._adapter = GuardedAdapter(self._guard, _tls_context(ca_file) if address.is_encrypted else None)

    @contextmanager
    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        media_type: str | None = None,
        also: tuple[int, ...] = (),
    ) -> Iterator[ServerResponse]:
        """Send a request and yield the response; the connection is kept if the body is read to the end.

        Args:
            method: HTTP method.
            path: Path of the route, below the address of the server.
            body: Request body; an iterable is sent piece by piece.
            media_type: Media type of the body.
            also: Status codes from 400 up that are not treated as errors.

        Raises:
            TextSegmentError: There is no response, or the response is an error.
        """
        headers = self._headers if media_type is None else {**self._headers, "Content-Type": media_type}
        with explained(self._url):
            request = requests.Request(method, self._url + path, headers, data=body).prepare()
            response = self._adapter.send(
                request, stream=True, timeout=self._timeout, verify=self._verify, proxies=self._proxies
            )
        answer = ServerResponse(response, self._url, self._guard)
        try:
            if answer.status not in also:
                _require_good(answer, self._url)
            _require_ours(answer, self._url)
            yield answer
        finally:
            if not answer.is_read:
                self._guard.hang_up()
            response.close()

    def cut(self) -> None:
        """Break the connection, whatever it is waiting for, and allow no new one; thread-safe."""
        self._guard.cut()

    def close(self) -> None:
        """Close the connection permanently."""
        self._guard.cut()
        self._adapter.close()


def no_server(url: str) -> ServerUnreachableError:
    """Return the error for an address where something other than a TextSegment server responds."""
    return ServerUnreachableError(
        f"What answers at {url} is no TextSegment server.", "Check address, port and proxy."
    )


def _tls_context(ca_file: Path | str | None) -> ssl.SSLContext:
    """Return a TLS context that always verifies signature, host name and dates of certificates."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:  # ssl.SSLError is a subclass
        raise SettingsError(
            "The file of certificate authorities cannot be read.", "It is a file in PEM format."
        ) from error


def _headers(key: str | None) -> dict[str, str]:
    headers = {
        PROTOCOL_HEADER: str(PROTOCOL_VERSION),
        "User-Agent": "textsegment",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    return headers if key is None else {**headers, "Authorization": f"Bearer {key}"}


def _require_good(answer: ServerResponse, url: str) -> None:
    if answer.status in _SAID_BY_PROXIES:
        raise ServerUnreachableError(*_SAID_BY_PROXIES[answer.status])
    if answer.status >= 400:
        try:
            report = answer.body(MAX_REPORT_BYTES)
        except StreamBrokenError:  # an error page of a proxy
            report = b""
        raise error_from_answer(answer.status, report, answer.header("Retry-After"))
    if 300 <= answer.status < 400:
        raise SettingsError(
            f"{url} sends its visitors to another address, which is not followed: the key would go along.",
            _destination(answer.header("Location")),
        )


def _destination(location: str | None) -> str:
    try:
        parts = urlsplit(location or "")
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or not host.isascii() or parts.scheme not in ("http", "https"):
        return "Give the final address of the server."
    return f"Give the final address of the server; it may begin with {parts.scheme}://{host}."


def _require_ours(answer: ServerResponse, url: str) -> None:
    """Reject responses of a portal or proxy in place of the server."""
    version = answer.header(PROTOCOL_HEADER)
    if version is None:
        raise no_server(url)
    if version != str(PROTOCOL_VERSION):
        raise version_mismatch(version)
    if (answer.header("Content-Encoding") or "identity").lower() != "identity":
        raise StreamBrokenError("The answer was compressed on the way.", "Check the proxies.")
