"""A connection: uvicorn's, with limits on what a client may send around and after a request."""

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
"""Key in the state of a request; the value is a function that aborts its connection."""

# Bytes that may arrive without completing a head or belonging to a body.
_MOST_UNPARSED = 2**16
# Bytes of a response that may wait for the client before writing pauses; it resumes at a quarter of them.
_MOST_UNREAD = 2**16
# How long the rest of a refused body is discarded, so that its sender gets to read the reason.
_LINGER_S = 5.0
# Pipelined requests that may wait on one connection.
_MOST_AHEAD = 16
# Connections beyond the limit that still get a response.
_MOST_TOLD = 64
_RETRY_AFTER_S = 5


def bounded_connection(settings: ServerSettings, max_connections: int) -> type[HttpToolsProtocol]:
    """Return a connection class with the limits of a server.

    Args:
        settings: Settings with the time limits.
        max_connections: Maximum number of open connections.
    """
    limits = {
        "head_timeout_s": settings.head_timeout_s,
        "send_timeout_s": settings.send_timeout_s,
        "max_connections": max_connections,
    }
    return type("Connection", (BoundedConnection,), limits)


class BoundedConnection(HttpToolsProtocol):
    """Connection that limits heads, the rest of refused bodies, and the time for slow readers.

    Attributes:
        max_connections: Open connections beyond which requests get a "busy" response; a further 64 beyond
            that, connections are aborted.
        head_timeout_s: Time limit for a head, from the start of the connection or, later, from its first
            byte.
        send_timeout_s: Time limit for the client to take what waits for it: 64 KiB and at most one more
            message.
    """

    max_connections: int
    head_timeout_s: float
    send_timeout_s: float

    def connection_made(self, transport: Any) -> None:
        """Set up the parser and start waiting for the first head."""
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
        """Stop all timers and end all open requests of the connection."""
        self._deadline.cancel()
        self._stop_reading_deadline()
        super().connection_lost(exc)
        for cycle in self._open:  # uvicorn notifies only the last one
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse data, and refuse the request if its head is too long."""
        if not self._is_answering and self._deadline.cancelled():
            self._wait(self.head_timeout_s, self._head_is_late)
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > _MOST_UNPARSED + len(data):
            self._refuse(431, RequestError("The head of the request is too long."))

    def on_headers_complete(self) -> None:
        """Start a request once its head is complete; the body has limits of its own."""
        if self._plain.is_offer:
            return
        self._unparsed = 0
        self._deadline.cancel()
        if len(self._open) > _MOST_AHEAD:
            raise OverflowError  # stops the parser, which closes the connection
        try:
            require_one_host(self.url, [value for name, value in self.headers if name == b"host"])
        except RequestError as error:
            self._refuse(400, error)
            raise
        self.scope["state"][HANG_UP] = self.transport.abort
        super().on_headers_complete()
        self._open.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of a body."""
        self._unparsed = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Discard the rest of a body that nobody reads, for a limited time."""
        self._open = [cycle for cycle in self._open if not cycle.response_complete]
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:  # else it is pipelined
            self._wait(_LINGER_S, self.transport.close)

    def on_message_complete(self) -> None:
        """Finish a request; if it has been answered already, wait for the next one."""
        if self._plain.is_offer:
            return
        if self.cycle.response_complete:
            self.cycle.more_body = False
            self._wait(self.timeout_keep_alive, self.transport.close)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Pause writing; if the client does not catch up in time, the connection and its job end."""
        super().pause_writing()
        self._reading_deadline = self.loop.call_later(self.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Resume writing once the client has caught up."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_reading_deadline()

    def send_400_response(self, msg: str) -> None:
        """Refuse data that is not HTTP."""
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
                self.transport.abort()  # inside another response it would be taken for content
                return
            self.cycle.disconnected = True  # whatever it still sends is discarded
            self.cycle.message_event.set()
        body = ErrorReport.from_error(error).to_json()
        head = (
            f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request on a connection beyond the limit."""
    error = BusyError("The server has too many connections.", "Try again later.", _RETRY_AFTER_S)
    response = error_response(error)
    response.headers.update({PROTOCOL_HEADER: str(PROTOCOL_VERSION), "Connection": "close"})
    await response(scope, receive, send)
