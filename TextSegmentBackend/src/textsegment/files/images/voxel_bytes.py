"""Reading of voxels that lie in one piece in a file, compressed or not.

A gzip file is inflated in large pieces, without the lock of the interpreter: other threads, such as the one
that imports PyTorch, go on meanwhile. With the small pieces of the ``gzip`` module they would wait for each
other thousands of times.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from textsegment.files.images.opening import is_gzip, open_image

_READ = 2**21
_INFLATED = 2**23
# Windows of zlib: its own, with the header and the checksum of gzip.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def read_volume_of(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int, index: tuple[int, ...], slices: int
) -> NDArray[Any]:
    """Read the first slices of one volume of an image, whose first dimension varies fastest.

    Args:
        path: File, which may be compressed with gzip or bzip2.
        shape: Sizes of all dimensions of the image.
        dtype: Data type of the voxels in the file, with its byte order.
        offset: Offset in bytes of the first voxel in the uncompressed file.
        index: Index of the volume along the dimensions after the third.
        slices: Number of slices along k.

    Returns:
        Array ``[i, j, k]`` in Fortran order.

    Raises:
        EOFError: The file ends too early.
        OSError: The file cannot be read.
        zlib.error: The compressed data are damaged.
    """
    place = int(np.ravel_multi_index(index, shape[3:], order="F")) if index else 0
    voxels = np.empty((shape[0], shape[1], slices), dtype=dtype, order="F")
    target = voxels.reshape(-1, order="F").view(np.uint8).data
    start = offset + place * math.prod(shape[:3]) * dtype.itemsize
    if is_gzip(path):
        with path.open("rb") as stream:
            _inflate(stream, start, target)
    else:
        with open_image(path) as stream:
            stream.seek(start)
            _fill(stream, target)
    return voxels


def _fill(stream: BinaryIO, target: memoryview) -> None:
    filled = 0
    while filled < len(target):
        count = stream.readinto(target[filled:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        filled += count


def _inflate(stream: BinaryIO, start: int, target: memoryview) -> None:
    """Fill the target with the inflated bytes from ``start`` on; a file may consist of several members."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    waiting, is_between = b"", False
    position = 0  # of the next inflated byte
    while position < start + len(target):
        if inflater.eof:
            waiting, is_between = inflater.unused_data, True
            inflater = zlib.decompressobj(_GZIP_WINDOW)
        waiting = waiting or stream.read(_READ)
        if not waiting:
            raise EOFError
        if is_between:  # members may be padded with zeros
            waiting = waiting.lstrip(b"\0")
            is_between = not waiting
            continue
        piece = inflater.decompress(waiting, _INFLATED)
        waiting = inflater.unconsumed_tail
        skipped = max(start - position, 0)
        inside = memoryview(piece)[skipped : start + len(target) - position]
        if len(inside):
            first = position + skipped - start
            target[first : first + len(inside)] = inside
        position += len(piece)
