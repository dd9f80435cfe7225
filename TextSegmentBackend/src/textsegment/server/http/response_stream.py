"""The answer to a segmentation request: frames as they come, until the job ends or the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Send

from textsegment.segmenter import Queued
from textsegment.server.http.body import ClientGoneError
from textsegment.wire.contract import ANSWER_TYPE, HEARTBEAT_S, PROTOCOL_HEADER, PROTOCOL_VERSION
from textsegment.wire.frames import STREAM_MAGIC, FrameKind, encode_frame, split_frame

# The connection keeps what a reader has not taken, and waits until it has: so it keeps no more of each.
_PIECE_BYTES = 2**16


async def send_frames(frames: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send encoded frames as one ASGI response; the caller closes ``frames``.

    Silence is broken by repeating the last frame that says how far the job is.

    Args:
        frames: The last one is DONE or ERRO.
        receive: Of the request, whose body has been read.
        send: Of the request.

    Raises:
        ClientGoneError: The client closed the connection.
    """
    gone = asyncio.create_task(_disconnected(receive))
    following = asyncio.ensure_future(anext(frames, None))
    last = encode_frame(Queued(0))
    try:
        await send(_START)
        await send(_piece(STREAM_MAGIC))
        while True:
            await asyncio.wait((following, gone), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ClientGoneError
            if not following.done():
                await send(_piece(last))
                continue
            if (frame := following.result()) is None:
                break
            if split_frame(frame)[0] in (FrameKind.QUEUED, FrameKind.PROGRESS):
                last = frame
            for begin in range(0, len(frame), _PIECE_BYTES):
                await send(_piece(frame[begin : begin + _PIECE_BYTES]))
            following = asyncio.ensure_future(anext(frames, None))
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()
        following.cancel()
        await asyncio.wait((following,))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _piece(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


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
