"""One connection: uvicorn's, with bounds on what a client may send around and after a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from textsegment.errors import RequestError, RequestTimeoutError
from textsegment.server.settings import ServerSettings
from textsegment.wire.failures import ErrorReport

# Bytes that may come without completing a head or being a body.
_MOST_UNPARSED = 2**16
# So long the rest of a refused body is swallowed, so that its sender gets to read why.
_LINGER_S = 5.0


def bounded_connection(settings: ServerSettings) -> type[HttpToolsProtocol]:
    """Return the class of connections with the time limits of a server."""
    limits = {"head_timeout_s": settings.head_timeout_s, "send_timeout_s": settings.send_timeout_s}
    return type("Connection", (BoundedConnection,), limits)


class BoundedConnection(HttpToolsProtocol):
    """Limits time and size of heads, what follows of a refused body, and the patience with slow readers.

    Attributes:
        head_timeout_s: From the beginning of a connection, or the first byte of a later request on it.
        send_timeout_s: As long a client may take nothing of an answer that waits for it.
    """

    head_timeout_s: float
    send_timeout_s: float

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._unparsed = 0
        self._deadline = self.loop.call_later(self.head_timeout_s, self._head_is_late)
        self._reading_check: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._deadline.cancel()
        self._stop_reading_check()
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

    def pause_writing(self) -> None:
        """More of an answer waits than the client has taken."""
        super().pause_writing()
        self._check_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has taken it."""
        super().resume_writing()
        self._stop_reading_check()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, RequestError(msg))

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, then)

    def _check_reading(self, before: int) -> None:
        """End the connection if the client takes nothing for a while; the job behind it ends too."""

        def check() -> None:
            if (waiting := self.transport.get_write_buffer_size()) < before:
                self._check_reading(waiting)
            else:
                self.transport.abort()

        self._reading_check = self.loop.call_later(self.send_timeout_s, check)

    def _stop_reading_check(self) -> None:
        if self._reading_check is not None:
            self._reading_check.cancel()

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
