"""The response to a segmentation request: frames streamed until the job ends or the client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Send

from textsegment.segmenter import Queued
from textsegment.server.http.body import ClientGoneError
from textsegment.wire.contract import ANSWER_TYPE, HEARTBEAT_S, PROTOCOL_HEADER, PROTOCOL_VERSION
from textsegment.wire.frames import STREAM_MAGIC, FrameKind, encode_frame, split_frame

# Frames are sent in pieces, because the connection buffers a whole piece until the client has taken it.
_PIECE_BYTES = 2**16


async def send_frames(frames: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send encoded frames as one ASGI response; closing ``frames`` is left to the caller.

    As a heartbeat, the last frame about queue or progress is repeated while there is no other.

    Args:
        frames: Encoded frames, the last of which is DONE or ERRO.
        receive: ASGI receive function of the request, whose body has been read.
        send: ASGI send function of the request.

    Raises:
        ClientGoneError: If the client closes the connection.
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
        (b"x-accel-buffering", b"no"),  # keeps nginx from buffering frames
        (PROTOCOL_HEADER.lower().encode(), str(PROTOCOL_VERSION).encode()),
    ],
}
