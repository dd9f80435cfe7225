"""Resumable upload of volumes: only what the server lacks is sent."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

from textsegment.client.retry import RetryPolicy
from textsegment.client.transport import Transport
from textsegment.errors import TextSegmentError
from textsegment.volume import Volume
from textsegment.wire.contract import NEXT_CHUNK_HEADER, VOLUME_TYPE, volume_path
from textsegment.wire.failures import MAX_REPORT_BYTES
from textsegment.wire.volumes.codec import encode_volume
from textsegment.wire.volumes.header import Encoding, VolumeHeader

# One thread deflates about 100 MB/s, less than half of what a gigabit network could take.
_THREADS = min(4, os.cpu_count() or 1)


def upload(
    transport: Transport,
    volume: Volume,
    digest: str,
    encoding: Encoding,
    retry: RetryPolicy,
    on_sent: Callable[[float], None],
) -> None:
    """Upload a volume, or the part of it that the server lacks.

    Args:
        transport: Transport to the server.
        volume: Volume from ``wire_volume``.
        digest: SHA-256 digest that identifies the volume on the server.
        encoding: Encoding of the chunks.
        retry: Policy that decides which failures are retried.
        on_sent: Callback for the fraction sent, 0 to 1; it decreases if chunks have to be sent again.

    Raises:
        TextSegmentError: The failure is permanent or persisted through all retries.
    """
    path = volume_path(digest)
    header = VolumeHeader.of(volume)
    furthest = -1
    while True:
        try:
            chunk = _next_chunk(transport, path, header)
            if chunk is None:
                return
            if chunk > furthest:
                furthest = chunk
                retry.progressed()
            with closing(_pieces(volume, encoding, chunk, header.chunk_count)) as pieces:
                counted = _counted(pieces, chunk, header.chunk_count, on_sent)
                with transport.ask("PUT", path, body=counted, media_type=VOLUME_TYPE) as answer:
                    answer.body(MAX_REPORT_BYTES)
            return
        except TextSegmentError as error:
            retry.wait_or_raise(error)


def _next_chunk(transport: Transport, path: str, header: VolumeHeader) -> int | None:
    """Return the index of the chunk that the server expects next, or None if it has them all."""
    with transport.ask("HEAD", path, also=(404,)) as answer:
        answer.body(0)
        if answer.status < 400:
            return None
        text = answer.header(NEXT_CHUNK_HEADER) or ""
    chunk = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    return chunk if chunk < header.chunk_count else 0


def _pieces(
    volume: Volume, encoding: Encoding, first_chunk: int, chunk_count: int
) -> Generator[bytes, None, None]:
    """Encode like ``encode_volume``, but deflate several chunks in parallel, a few ahead of the network."""
    if encoding is Encoding.RAW:
        yield from encode_volume(volume, encoding, first_chunk)
        return
    yield next(encode_volume(volume, encoding, first_chunk))
    chunks = iter(range(first_chunk, chunk_count))
    with ThreadPoolExecutor(_THREADS, "textsegment-deflate") as pool:
        ahead = deque(pool.submit(_chunk, volume, encoding, chunk) for chunk in islice(chunks, 2 * _THREADS))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(_chunk, volume, encoding, chunk) for chunk in islice(chunks, 1))


def _chunk(volume: Volume, encoding: Encoding, chunk: int) -> bytes:
    _, piece = islice(encode_volume(volume, encoding, chunk), 2)
    return piece


def _counted(
    pieces: Iterator[bytes], first_chunk: int, chunk_count: int, on_sent: Callable[[float], None]
) -> Iterator[bytes]:
    # The header comes first, so ``sent`` chunks are complete whenever the next piece is requested.
    for sent, piece in enumerate(pieces, start=first_chunk - 1):
        on_sent(max(sent, 0) / chunk_count)
        yield piece
    on_sent(1.0)
