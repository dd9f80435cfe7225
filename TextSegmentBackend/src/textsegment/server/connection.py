"""One connection: uvicorn's, with bounds on what a client may send before and after a request."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from textsegment.errors import RequestError, RequestTimeoutError, TextSegmentError
from textsegment.wire.failures import ErrorReport, status_of

_MOST_UNPARSED = 2**16
# As long the rest of a refused body is swallowed, so that its sender gets to read the answer.
_LINGER_S = 5.0


class BoundedConnection(HttpToolsProtocol):
    """Adds a time limit for request heads, a size limit for them, and an end to refused bodies."""

    head_timeout_s = 10.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unparsed = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._set_deadline(self.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > _MOST_UNPARSED + len(data) and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        self._set_deadline(self.head_timeout_s)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        self._clear_deadline()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body:
            self._set_deadline(_LINGER_S)

    def send_400_response(self, msg: str) -> None:
        self._refuse(RequestError(msg))

    def _refuse(self, error: TextSegmentError) -> None:
        body = ErrorReport.from_error(error).to_json()
        status = 400 if type(error) is RequestError else status_of(error)
        head = (
            f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self._refuse(RequestTimeoutError("The request came in too slowly."))
