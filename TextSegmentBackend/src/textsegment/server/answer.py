"""The answer to a segmentation request: frames as they come, until the job ends or the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.types import Message, Receive, Send

from textsegment.segmenter import Queued
from textsegment.wire.contract import ANSWER_TYPE, HEARTBEAT_S, PROTOCOL_HEADER, PROTOCOL_VERSION
from textsegment.wire.frames import STREAM_MAGIC, encode_frame, split_frame


class AnswerStream:
    """Sends encoded frames as one ASGI response.

    Args:
        receive: Of the request, whose body has been read.
        send: Of the request.
        send_timeout_s: How long the client may take for a piece.
    """

    def __init__(self, receive: Receive, send: Send, send_timeout_s: float) -> None:
        self._receive = receive
        self._send = send
        self._send_timeout_s = send_timeout_s

    async def run(self, frames: AsyncIterator[bytes]) -> bool:
        """Send all frames; return whether the client stayed until the end.

        Silence is broken by repeating the last frame that says how far the job is. The caller closes
        ``frames``.
        """
        gone = asyncio.create_task(self._disconnected())
        try:
            return await self._run(frames, gone)
        except (asyncio.TimeoutError, OSError):
            return False  # it takes nothing any more
        finally:
            gone.cancel()

    async def _run(self, frames: AsyncIterator[bytes], gone: asyncio.Task[None]) -> bool:
        await self._send(_START)
        await self._piece(STREAM_MAGIC)
        last = encode_frame(Queued(0))
        following = asyncio.ensure_future(anext(frames))
        try:
            while True:
                await asyncio.wait(
                    (following, gone), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
                )
                if gone.done():
                    return False
                if not following.done():
                    await self._piece(last)
                    continue
                frame = following.result()
                if split_frame(frame)[0] in (b"QUEU", b"PROG"):
                    last = frame
                await self._piece(frame)
                following = asyncio.ensure_future(anext(frames))
        except StopAsyncIteration:
            await self._piece(b"", more=False)
            return True
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await following

    async def _piece(self, data: bytes, *, more: bool = True) -> None:
        message: Message = {"type": "http.response.body", "body": data, "more_body": more}
        await asyncio.wait_for(self._send(message), self._send_timeout_s)

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", ANSWER_TYPE.encode()),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # nginx would hold frames back
        (PROTOCOL_HEADER.lower().encode(), str(PROTOCOL_VERSION).encode()),
    ],
}
