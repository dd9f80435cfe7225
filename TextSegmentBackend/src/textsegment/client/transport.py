"""Requests to one server: one connection at a time, every wait bounded, every failure typed."""

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
"""Slower than this, no network is worth waiting for."""
_SAID_BY_PROXIES = {
    407: PROXY_WANTS_PASSWORD,
    502: ("The proxy before the server does not reach it.", "Ask the operator of the server."),
    504: ("The proxy before the server gets no answer from it.", "Ask the operator of the server."),
}


@dataclass(frozen=True)
class Timeouts:
    """How long a client waits, in seconds.

    Attributes:
        connect_s: For a connection.
        upload_s: Until the network has taken one piece of an upload, 256 KiB.
        answer_s: For the head of an answer, behind the last byte of a request; and for all of a short answer.
        silence_s: For the next byte of an answer, and for the next frame of a stream (a second more for each
            KiB of it); a server is never silent for longer than 10 seconds.
        recovery_s: In all, for a server that was reached and then was lost, to come back.
        busy_s: In all, for a place in the queue of a busy server.
    """

    connect_s: float = 10.0
    upload_s: float = 60.0
    answer_s: float = 60.0
    silence_s: float = 40.0
    recovery_s: float = 90.0
    busy_s: float = 300.0


class ServerResponse:
    """A good answer of the server whose body is still to be read.

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
        """Return a header, or None."""
        return self._response.headers.get(name)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes, in pieces of at most 64 KiB."""
        patience_s = self._guard.silence_s + _PIECE_BYTES / LEAST_BYTES_PER_S
        with explained(self._url), self._guard.within(patience_s) as deadline:
            for piece in self._response.raw.stream(_PIECE_BYTES, decode_content=False):
                deadline.put_off(math.inf)  # whoever takes the piece has all the time
                yield piece
                deadline.put_off(patience_s)
        self.is_read = True

    def body(self, most: int) -> bytes:
        """Return the whole body.

        Raises:
            StreamBrokenError: It has more than ``most`` bytes.
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
    """Speaks HTTP with one server over one connection; its owner or another thread may cut it.

    Args:
        address: Where the server is.
        key: Its access key, or None.
        timeouts: How long to wait.
        proxies: By scheme.
        ca_file: PEM file of the only authorities to trust; None for those of the system (``SSL_CERT_FILE``)
            and of requests.

    Attributes:
        silence_s: How long a server that has begun to answer may be silent.

    Raises:
        SettingsError: The CA file is missing, or holds no certificate.
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
        # No session of requests: it reads .netrc, which would replace the key, and looks into redirects.
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
        """Send a request and give the answer; the connection is kept if its body is read to the end.

        Args:
            method: Of HTTP.
            path: Route.
            body: What to send; an iterable is sent in pieces, as they come.
            media_type: Of the body.
            also: Statuses of 400 and more that are no errors.

        Raises:
            TextSegmentError: No answer, or an answer that is an error.
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
        """Break the connection, whatever it waits for, and let no new one begin; from any thread."""
        self._guard.cut()

    def close(self) -> None:
        """Close the connection for good."""
        self._guard.cut()
        self._adapter.close()


def no_server(url: str) -> ServerUnreachableError:
    """Return the error for an address where something else answers."""
    return ServerUnreachableError(
        f"What answers at {url} is no TextSegment server.", "Check address, port and proxy."
    )


def _tls_context(ca_file: Path | str | None) -> ssl.SSLContext:
    """Return how certificates are checked: signature, name and dates, always."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:  # ssl.SSLError is one
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
        except StreamBrokenError:  # the page of a proxy
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
    """Refuse what a portal or a proxy says in place of the server."""
    version = answer.header(PROTOCOL_HEADER)
    if version is None:
        raise no_server(url)
    if version != str(PROTOCOL_VERSION):
        raise version_mismatch(version)
    if (answer.header("Content-Encoding") or "identity").lower() != "identity":
        raise StreamBrokenError("The answer was compressed on the way.", "Check the proxies.")
