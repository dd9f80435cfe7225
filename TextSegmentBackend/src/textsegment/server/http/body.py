"""Reads request bodies, limited in size and time whatever the client does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.types import Receive

from textsegment.caution import Caution
from textsegment.errors import LimitExceededError, RequestTimeoutError
from textsegment.server.settings import ServerSettings


class ClientGoneError(Exception):
    """Raised when the client has closed the connection, so that there is no one left to answer."""


async def read_body(receive: Receive, max_bytes: int, settings: ServerSettings) -> AsyncIterator[bytes]:
    """Yield the body of a request as it arrives.

    Raises:
        LimitExceededError: If the body is longer than ``max_bytes``.
        RequestTimeoutError: If the body arrives too slowly.
        ClientGoneError: If the client closes the connection.
    """
    taken, count = 0.0, 0
    while True:
        asked = time.monotonic()
        try:
            message = await asyncio.wait_for(receive(), settings.body_idle_s)
        except asyncio.TimeoutError:
            raise _too_slow() from None
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body = message.get("body", b"")
        count += len(body)
        if count > max_bytes:
            raise LimitExceededError(Caution("limit_request", most_bytes=max_bytes))
        # Only the time in which the client could have sent counts, not our own processing time.
        taken += time.monotonic() - asked
        if taken > settings.body_idle_s + count / settings.min_body_rate:
            raise _too_slow()
        if body:
            yield body
        if not message.get("more_body", False):
            return


def _too_slow() -> RequestTimeoutError:
    return RequestTimeoutError("The request came in too slowly.", "Check the network and try again.")
