"""One connection: uvicorn's, with bounds on what a client may send around and after a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from textsegment.errors import RequestError, RequestTimeoutError
from textsegment.wire.failures import ErrorReport

# Bytes that may come without completing a head or being a body.
_MOST_UNPARSED = 2**16
# So long the rest of a refused body is swallowed, so that its sender gets to read why.
_LINGER_S = 5.0


def bounded_connection(head_timeout_s: float) -> type[HttpToolsProtocol]:
    """Return the class of connections that wait so many seconds for the head of a request."""
    return type("Connection", (BoundedConnection,), {"head_timeout_s": head_timeout_s})


class BoundedConnection(HttpToolsProtocol):
    """Adds a limit of time and size for heads, and an end to bodies that nobody reads.

    Attributes:
        head_timeout_s: From the beginning of a connection, or the first byte of a later request on it.
    """

    head_timeout_s = 10.0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._unparsed = 0
        self._deadline = self.loop.call_later(self.head_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless too much has come that is neither a head nor a body."""
        if not self._is_answering and self._deadline.cancelled():
            self._wait(self.head_timeout_s, self._head_is_late)
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > _MOST_UNPARSED + len(data):
            self._refuse(431, RequestError("The head of the request is too long."))

    def on_headers_complete(self) -> None:
        """A head is complete; the body has its own limits."""
        self._unparsed = 0
        self._deadline.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._unparsed = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Swallow the rest of a body that nobody reads, but not for ever."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait(_LINGER_S, self.transport.close)

    def on_message_complete(self) -> None:
        """A request is complete; if it was answered before, the connection waits for another one."""
        if self.cycle.response_complete:
            self.cycle.more_body = False
            self._wait(self.timeout_keep_alive, self.transport.close)
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, RequestError(msg))

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, then)

    def _head_is_late(self) -> None:
        if self._unparsed:
            self._refuse(408, RequestTimeoutError("The request came in too slowly."))
        else:
            self.transport.close()

    def _refuse(self, status: int, error: RequestError) -> None:
        if self.transport.is_closing():
            return
        if self._is_answering:  # an answer in the middle of another would be taken for its content
            self.transport.abort()
            return
        body = ErrorReport.from_error(error).to_json()
        head = (
            f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
