"""Volumes, masks and byte strings to send over the wire."""

from __future__ import annotations

import itertools
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from hypothesis import strategies as st

from textsegment.errors import TextSegmentError
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.volume import Volume
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import wire_volume
from textsegment.wire.volumes.decoder import VolumeDecoder
from textsegment.wire.volumes.header import DTYPES

OBLIQUE = np.array(
    [[0.8, 0.1, 0.0, -120.5], [-0.1, 0.8, 0.0, 33.25], [0.0, 0.0, 2.5, -700.125], [0, 0, 0, 1.0]]
)
SHAPE = (9, 7, 5)


def made_volume(shape: tuple[int, int, int] = SHAPE, dtype: str = "<i2", seed: int = 0) -> Volume:
    """Noise over the whole range of the type: nothing that a codec could get right by luck."""
    raw = np.random.default_rng(seed).integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype=np.uint8)
    if dtype == "|b1":
        raw &= 1
    return wire_volume(Volume(raw.view(dtype)[..., 0], Geometry(shape, OBLIQUE), "CT"))


def smooth_volume(shape: tuple[int, int, int], dtype: str = "<i2") -> Volume:
    """A ramp, which shrinks well."""
    ramp = np.arange(np.prod(shape)).reshape(shape) // 7 % 2000
    return wire_volume(Volume(ramp.astype(dtype), Geometry(shape, OBLIQUE), "MR"))


def made_mask(seed: int = 0, box: Box | None = None, structure: str = "left kidney") -> StructureMask:
    box = box or Box((1, 0, 2), (8, 7, 5))
    voxels = np.random.default_rng(seed).random(box.shape) < 0.6
    count = int(voxels.sum())
    nan = float("nan")
    statistics = MaskStatistics(
        count, count * 0.0016, 31.5 if count else nan, 0.875 if count else nan, touches_border=count > 0
    )
    return StructureMask(structure, box, voxels, statistics, ("Touches the border.",))


def decoded(pieces: list[bytes], limits: Limits | None = None) -> tuple[VolumeDecoder, bytes]:
    """Decode a whole upload."""
    decoder = VolumeDecoder(limits or Limits())
    raw = b"".join(chunk for piece in pieces for _, chunk in decoder.push(piece))
    decoder.finish()
    return decoder, raw


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places, as a network does."""
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def error_or_none(action: Callable[[], object]) -> TextSegmentError | None:
    """Run; typed errors are returned, all others break the test."""
    try:
        action()
    except TextSegmentError as error:
        return error
    return None


def deflate_bomb(size: int) -> bytes:
    """A zlib stream of about ``size`` bytes that inflates a thousandfold, made in no time."""
    stream = zlib.compressobj(9)
    start = stream.compress(b"") + stream.flush(zlib.Z_FULL_FLUSH)
    block = stream.compress(bytes(2**20)) + stream.flush(zlib.Z_FULL_FLUSH)
    bomb = start + block * (size // len(block))
    assert len(bomb) > size - 2000
    return bomb


@contextmanager
def memory_bound(max_bytes: int) -> Iterator[None]:
    """Fail if the block ever holds more than so many bytes of new memory."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before <= max_bytes, f"{peak - before} bytes"


shapes = st.tuples(*[st.integers(1, 6)] * 3)
dtypes = st.sampled_from(DTYPES)
