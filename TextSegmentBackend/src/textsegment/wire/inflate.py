"""Inflating with a bound."""

from __future__ import annotations

import zlib

from textsegment.errors import LimitExceededError, RequestError


def max_deflated_bytes(raw_bytes: int) -> int:
    """Return the length that no sensible encoder exceeds, even for noise."""
    return raw_bytes + raw_bytes // 128 + 64


def inflate(payload: bytes | bytearray | memoryview, size: int) -> bytes:
    """Inflate a zlib stream that holds exactly ``size`` bytes, and never more than one byte more.

    Raises:
        LimitExceededError: It holds more.
        RequestError: It holds less, is damaged, or something follows it.
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
