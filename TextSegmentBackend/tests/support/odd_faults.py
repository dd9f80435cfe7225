"""What ``OddServer`` can do wrong."""

from __future__ import annotations

import socket

from odd_server import Fault, Handler, Partial

from textsegment.errors import RequestError, TextSegmentError
from textsegment.segmenter import Event, MaskReady
from textsegment.wire.frames import encode_frame
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volumes.decoder import VolumeDecoder


def refusing(error: TextSegmentError) -> Fault:
    """Answer with an error, without reading the body."""

    def fault(handler: Handler) -> bool:
        handler.refuse(error)
        return True

    return fault


def replying(status: int, body: bytes = b"", *, ours: bool = False, **headers: str) -> Fault:
    """Answer something, such as a proxy's page."""

    def fault(handler: Handler) -> bool:
        handler.reply(status, body, close=True, ours=ours, **headers)
        return True

    return fault


def hanging_up(handler: Handler) -> bool:
    """Close the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def silent(handler: Handler) -> bool:
    """Never answer."""
    handler.wait_for_hang_up()
    return True


def dripping(begin: bytes, again: bytes) -> Fault:
    """Send something, and then a little now and then, until the client hangs up, or for two minutes."""

    def fault(handler: Handler) -> bool:
        if handler.command in ("PUT", "POST"):
            b"".join(handler.body_pieces())
        handler.wfile.write(begin)
        for _ in range(2400):
            if handler.server.stopped.wait(0.05):
                return True
            handler.wfile.write(again)
            handler.wfile.flush()
        handler.server.dripped_out.set()
        return True

    return fault


def deaf(handler: Handler) -> bool:
    """Never read the body, and never answer."""
    handler.server.stopped.wait(600)
    return True


def garbage(handler: Handler) -> bool:
    """Answer what is no HTTP."""
    handler.wfile.write(bytes(range(256)) * 4)
    return True


def breaking_upload(chunks: int) -> Fault:
    """Keep some chunks, then reset the connection."""

    def fault(handler: Handler) -> bool:
        partial = handler.server.partial.setdefault(handler.path.rpartition("/")[2], Partial())
        decoder = VolumeDecoder(handler.server.limits, partial.header, partial.chunks)
        for piece in handler.body_pieces():
            handler.store(decoder, partial, piece)
            if partial.chunks >= chunks:
                break
        handler.connection.shutdown(socket.SHUT_RDWR)
        return True

    return fault


def forgetting(handler: Handler) -> bool:
    """Lose all volumes, then go on."""
    handler.server.volumes.clear()
    handler.server.partial.clear()
    return False


def streaming(*pieces: bytes, then: Fault | None = None, complete: bool = True) -> Fault:
    """Answer with frames, and end the stream or do something odd."""

    def fault(handler: Handler) -> bool:
        b"".join(handler.body_pieces())
        handler.begin_stream()
        for piece in pieces:
            handler.send_frames(piece)
        if then is not None:
            return then(handler)
        if complete:
            handler.wfile.write(b"0\r\n\r\n")
        return True

    return fault


def breaking_stream(masks: int) -> Fault:
    """Break the stream behind some masks."""

    def fault(handler: Handler) -> bool:
        request = SegmentRequest.from_json(b"".join(handler.body_pieces()), handler.server.limits)
        handler.begin_stream()
        sent = 0

        def on_event(event: Event) -> None:
            nonlocal sent
            sent += isinstance(event, MaskReady)
            handler.send_frames(encode_frame(event))
            if sent == masks:
                handler.connection.shutdown(socket.SHUT_RDWR)
                raise ConnectionAbortedError

        try:
            volume = handler.server.volumes[request.volume]
            handler.server.segmenter.segment(volume, request.prompts, on_event=on_event)
        except ConnectionAbortedError:
            return True
        raise RequestError("There were not so many masks.")

    return fault
