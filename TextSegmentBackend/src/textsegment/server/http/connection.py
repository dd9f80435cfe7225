"""One connection: uvicorn's, with bounds on what a client may send around and after a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from textsegment.errors import BusyError, RequestError, RequestTimeoutError
from textsegment.server.http.errors import error_response
from textsegment.server.http.plain_parser import PlainParser
from textsegment.server.http.security import require_one_host
from textsegment.server.settings import ServerSettings
from textsegment.wire.contract import PROTOCOL_HEADER, PROTOCOL_VERSION
from textsegment.wire.failures import ErrorReport

HANG_UP = "hang_up"
"""Key in the state of a request: a function that breaks its connection."""

# Bytes that may come without completing a head or being a body.
_MOST_UNPARSED = 2**16
# Bytes of an answer that wait for the client before writing pauses; it goes on at a quarter of them.
_MOST_UNREAD = 2**16
# So long the rest of a refused body is swallowed, so that its sender gets to read why.
_LINGER_S = 5.0
# Requests that may wait for their turn on one connection.
_MOST_AHEAD = 16
# Connections beyond the bound that get an answer.
_MOST_TOLD = 64
_RETRY_AFTER_S = 5


def bounded_connection(settings: ServerSettings, max_connections: int) -> type[HttpToolsProtocol]:
    """Return the class of connections with the time limits of a server."""
    limits = {
        "head_timeout_s": settings.head_timeout_s,
        "send_timeout_s": settings.send_timeout_s,
        "max_connections": max_connections,
    }
    return type("Connection", (BoundedConnection,), limits)


class BoundedConnection(HttpToolsProtocol):
    """Limits time and size of heads, what follows of a refused body, and the patience with slow readers.

    Attributes:
        max_connections: Those beyond are told that the server is busy, and beyond another 64 are closed.
        head_timeout_s: From the beginning of a connection, or the first byte of a later request on it.
        send_timeout_s: As long a client may need for what waits for it, which is 64 KiB and one message more.
    """

    max_connections: int
    head_timeout_s: float
    send_timeout_s: float

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._plain = PlainParser(self)
        self.parser: Any = self._plain
        transport.set_write_buffer_limits(_MOST_UNREAD)
        self._open: list[RequestResponseCycle] = []
        self._unparsed = 0
        self._deadline = self.loop.call_later(self.head_timeout_s, self._head_is_late)
        self._reading_deadline: asyncio.TimerHandle | None = None
        if (beyond := len(self.connections) - self.max_connections) > 0:
            self.app = _full
        if beyond > _MOST_TOLD:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._deadline.cancel()
        self._stop_reading_deadline()
        super().connection_lost(exc)
        for cycle in self._open:  # uvicorn tells the last one only
            cycle.disconnected = True
            cycle.message_event.set()

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
        if self._plain.is_offer:
            return
        self._unparsed = 0
        self._deadline.cancel()
        if len(self._open) > _MOST_AHEAD:
            raise OverflowError  # ends the parser, and by it the connection
        try:
            require_one_host(self.url, [value for name, value in self.headers if name == b"host"])
        except RequestError as error:
            self._refuse(400, error)
            raise
        self.scope["state"][HANG_UP] = self.transport.abort
        super().on_headers_complete()
        self._open.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._unparsed = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Swallow the rest of a body that nobody reads, but not for ever."""
        self._open = [cycle for cycle in self._open if not cycle.response_complete]
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:  # else it is of a request that came behind
            self._wait(_LINGER_S, self.transport.close)

    def on_message_complete(self) -> None:
        """A request is complete; if it was answered before, the connection waits for another one."""
        if self._plain.is_offer:
            return
        if self.cycle.response_complete:
            self.cycle.more_body = False
            self._wait(self.timeout_keep_alive, self.transport.close)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """So much waits for the client that no more is written: the job ends, too, if it is not taken."""
        super().pause_writing()
        self._reading_deadline = self.loop.call_later(self.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_reading_deadline()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, RequestError(msg))

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, then)

    def _stop_reading_deadline(self) -> None:
        if self._reading_deadline is not None:
            self._reading_deadline.cancel()

    def _head_is_late(self) -> None:
        if self._unparsed:
            self._refuse(408, RequestTimeoutError("The request came in too slowly."))
        else:
            self.transport.close()

    def _refuse(self, status: int, error: RequestError) -> None:
        if self.transport.is_closing():
            return
        if self._is_answering:
            if self.pipeline or self.cycle.response_started:
                self.transport.abort()  # in the middle of another answer it would be taken for its content
                return
            self.cycle.disconnected = True  # whatever it still answers goes nowhere
            self.cycle.message_event.set()
        body = ErrorReport.from_error(error).to_json()
        head = (
            f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request on a connection too many."""
    error = BusyError("The server has too many connections.", "Try again later.", _RETRY_AFTER_S)
    response = error_response(error)
    response.headers.update({PROTOCOL_HEADER: str(PROTOCOL_VERSION), "Connection": "close"})
    await response(scope, receive, send)
