"""Decompression with a bound on the size."""

from __future__ import annotations

import zlib

from textsegment.errors import LimitExceededError, RequestError


def max_deflated_bytes(raw_bytes: int) -> int:
    """Return an upper bound on the compressed size of ``raw_bytes`` bytes, even for noise."""
    return raw_bytes + raw_bytes // 128 + 64


def inflate(payload: bytes | bytearray | memoryview, size: int) -> bytes:
    """Inflate a zlib stream of exactly ``size`` bytes, producing at most one byte more.

    Raises:
        LimitExceededError: The stream contains more bytes.
        RequestError: The stream contains fewer bytes, is damaged, or is followed by other data.
    """
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise RequestError("Compressed data are damaged.") from error
    if len(raw) > size:
        raise LimitExceededError("Compressed data hold more than was declared.")
    if len(raw) < size or not stream.eof or stream.unused_data:
        raise RequestError("Compressed data hold less than was declared, or something follows them.")
    return raw
