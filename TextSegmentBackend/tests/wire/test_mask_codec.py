import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import SHAPE, deflate_bomb, error_or_none, made_mask, memory_bound

from textsegment.errors import LimitExceededError, RequestError
from textsegment.geometry import Box
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.wire.mask_codec import decode_mask, encode_mask, max_mask_bytes


@st.composite
def boxes(draw):
    edges = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in SHAPE]
    return Box(tuple(a for a, _ in edges), tuple(b for _, b in edges))


def assert_same(a: StructureMask, b: StructureMask) -> None:
    assert (a.structure, a.box, a.warnings) == (b.structure, b.box, b.warnings)
    assert repr(a.statistics) == repr(b.statistics)  # NaN equals NaN
    assert np.array_equal(a.mask, b.mask)


@given(boxes(), st.integers(0, 99), st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_mask_comes_back(box, seed, structure):
    mask = made_mask(seed, box, structure)
    payload = encode_mask(mask)
    assert len(payload) <= max_mask_bytes(SHAPE)
    assert_same(decode_mask(payload, SHAPE), mask)


def test_empty_mask_comes_back():
    nan = float("nan")
    nowhere = Box((0, 0, 0), (0, 0, 0))
    mask = StructureMask(
        "spleen", nowhere, np.zeros((0, 0, 0), bool), MaskStatistics(0, 0.0, nan, nan, False)
    )
    assert_same(decode_mask(encode_mask(mask), SHAPE), mask)


def test_truncated_at_every_byte():
    payload = encode_mask(made_mask())
    for length in range(len(payload)):
        error = error_or_none(lambda end=length: decode_mask(payload[:end], SHAPE))
        assert type(error) is RequestError, length


@settings(max_examples=300)
@given(st.data())
def test_flipped_bit_is_typed_or_changes_the_head_only(data):
    mask = made_mask()
    payload = bytearray(encode_mask(mask))
    bit = data.draw(st.integers(0, 8 * len(payload) - 1))
    payload[bit // 8] ^= 1 << bit % 8
    found = []
    if error_or_none(lambda: found.append(decode_mask(payload, SHAPE))) is None:
        # The checksum of the frame notices the rest; the bits have their own.
        assert np.array_equal(found[0].mask.ravel(), mask.mask.ravel())


@given(st.binary(max_size=300))
def test_garbage(payload):
    assert isinstance(error_or_none(lambda: decode_mask(payload, SHAPE)), RequestError)


def changed(payload: bytes, change, bits: bytes | None = None) -> bytes:
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    change(head)
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + (payload[4 + length :] if bits is None else bits)


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.update(stop=[10, 7, 5]),
        lambda head: head.update(start=[-1, 0, 2]),
        lambda head: head.update(start=[8, 0, 2], stop=[1, 7, 5]),
        lambda head: head.update(start=[1, 0]),
        lambda head: head.update(start=[1.0, 0, 2]),
        lambda head: head.update(start=[True, 0, 2]),
        lambda head: head.update(extra=1),
        lambda head: head.pop("warnings"),
        lambda head: head.update(structure=7),
        lambda head: head.update(structure="x" * 201),
        lambda head: head["statistics"].update(voxel_count=head["statistics"]["voxel_count"] + 1),
        lambda head: head["statistics"].update(voxel_count=-1),
        lambda head: head["statistics"].update(mean_confidence=1.5),
        lambda head: head["statistics"].update(volume_ml=None),
        lambda head: head["statistics"].update(touches_border=0),
        lambda head: head["statistics"].update(extra=1),
        lambda head: head.update(statistics=[]),
    ],
)
def test_head_that_means_nothing_is_refused(change):
    payload = encode_mask(made_mask())
    assert decode_mask(changed(payload, lambda head: None), SHAPE).structure == "left kidney"
    with pytest.raises(RequestError):
        decode_mask(changed(payload, change), SHAPE)


def test_bits_behind_the_last_voxel_are_zero():
    def one_voxel(head):
        head.update(start=[0, 0, 0], stop=[1, 1, 1])
        head["statistics"].update(voxel_count=1)

    payload = encode_mask(made_mask())
    assert decode_mask(changed(payload, one_voxel, zlib.compress(b"\x80")), SHAPE).mask.all()
    with pytest.raises(RequestError, match="not zero"):
        decode_mask(changed(payload, one_voxel, zlib.compress(b"\xc0")), SHAPE)


def test_bomb_is_bounded():
    payload = encode_mask(made_mask())
    bomb = deflate_bomb(2**16)
    with memory_bound(2**20), pytest.raises(LimitExceededError):
        decode_mask(changed(payload, lambda head: None, bomb), SHAPE)


def test_warnings_that_no_client_would_take_are_not_sent():
    mask = made_mask()
    for warnings in (("x" * 70_000,), ("x",) * 33):
        with pytest.raises(LimitExceededError):
            encode_mask(StructureMask("a", mask.box, mask.mask, mask.statistics, warnings))
