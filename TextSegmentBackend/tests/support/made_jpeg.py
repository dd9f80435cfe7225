"""Pictures that no encoder of the environment makes: lossless JPEG with any predictor, and HTJ2K."""

from __future__ import annotations

import base64
import struct

import numpy as np

HTJ2K = base64.b64decode(
    "/0//UQApQAAAAABFAAAAUwAAAAAAAAAAAAAARQAAAFMAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4zMS4wLv+QAAoAAAAAALMAAf+TwAAtoP9/P/3H9gf0rHamukS/Hf53"
    "/ihLzQgA+bgAwAAVEAAFWGOMAAIwAnYAQIuG9gBjALzUFwDAABVQAAVAY4wxxrp6cAJ2AG3b9C/1vrYAwAAWxAABWCZNTEyamDQx"
    "aWLS5O/gGP6/X6/X4Yt8AK2q+v8wUde/dey5AKAAC6MAqqqqqqqqqqqqqqqqqvr/fFADeAAG/eAAG/eAAG/eAAG+tQEA/9k="
)
"""High-throughput JPEG 2000, lossless, as OpenJPH writes it."""
HTJ2K_VALUES = (np.add.outer(11 * np.arange(83), 37 * np.arange(69)) % 4096).astype(np.uint16)
"""What it holds, ``[row, column]``."""

# All 17 sizes of differences have codes of five bits, so that the code of a size is the size.
_CODE_BITS = 5


def lossless_jpeg(samples: np.ndarray, predictor: int, *, shift: int = 0, restart_rows: int = 0) -> bytes:
    """Encode 16-bit samples ``[row, column]`` (process 14); with a shift, their lowest bits are lost."""
    rows, columns = samples.shape
    counts = bytes(17 if length == _CODE_BITS else 0 for length in range(1, 17))
    head = b"\xff\xd8"
    head += b"\xff\xc4" + struct.pack(">HB", 19 + 17, 0) + counts + bytes(range(17))
    head += b"\xff\xc3" + struct.pack(">HBHHBBBB", 11, 16, rows, columns, 1, 1, 0x11, 0)
    if restart_rows:
        head += b"\xff\xdd" + struct.pack(">HH", 4, restart_rows * columns)
    head += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, predictor, 0, shift)
    values = samples.astype(int) >> shift
    step = restart_rows or rows
    scans = [_scan(values[row : row + step], predictor, 1 << (15 - shift)) for row in range(0, rows, step)]
    body = b"".join(
        scan + (bytes([0xFF, 0xD0 + number % 8]) if number < len(scans) - 1 else b"")
        for number, scan in enumerate(scans)
    )
    return head + body + b"\xff\xd9"


def _scan(values: np.ndarray, predictor: int, first: int) -> bytes:
    bits = ""
    for (row, column), value in np.ndenumerate(values):
        difference = (int(value) - _predicted(values, row, column, predictor, first)) & 0xFFFF
        difference -= 0x10000 if difference > 0x8000 else 0
        size = abs(difference).bit_length()
        bits += f"{size:0{_CODE_BITS}b}"
        if 0 < size < 16:
            bits += f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}"
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _predicted(values: np.ndarray, row: int, column: int, predictor: int, first: int) -> int:
    if row == column == 0:
        return first
    if row == 0:
        return int(values[row, column - 1])
    if column == 0:
        return int(values[row - 1, column])
    left, above = int(values[row, column - 1]), int(values[row - 1, column])
    corner = int(values[row - 1, column - 1])
    return (
        left,
        above,
        corner,
        left + above - corner,
        left + ((above - corner) >> 1),
        above + ((left - corner) >> 1),
        (left + above) >> 1,
    )[predictor - 1]
