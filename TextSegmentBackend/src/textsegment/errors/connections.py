"""A server cannot be reached, or its response breaks off."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class ServerUnreachableError(TextSegmentError):
    """The server cannot be reached: wrong name, address or port, or a network or proxy failure."""

    code = "server_unreachable"


class TlsError(ServerUnreachableError):
    """The server's identity cannot be verified, or the server does not use TLS."""

    code = "tls_failed"


class ServerTimeoutError(ServerUnreachableError):
    """The server did not respond in time."""

    code = "server_timeout"


class StreamBrokenError(TextSegmentError):
    """The server's response broke off or could not be decoded."""

    code = "stream_broken"
