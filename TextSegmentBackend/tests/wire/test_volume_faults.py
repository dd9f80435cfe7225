"""Uploads that must be refused (docs/faults.md)."""

import pickle
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import (
    OBLIQUE,
    decoded,
    deflate_bomb,
    error_or_none,
    made_volume,
    memory_bound,
    smooth_volume,
)

from textsegment.errors import (
    ChecksumError,
    GeometryError,
    LimitExceededError,
    RequestError,
    VersionMismatchError,
)
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import CHUNK_HEAD, assemble_volume, encode_volume
from textsegment.wire.volumes.decoder import VolumeDecoder
from textsegment.wire.volumes.header import CHUNK_BYTES, DTYPES, HEADER_BYTES, Encoding

MEBIBYTE = 2**20


def header(
    magic=b"TSV1", encoding=1, dtype=3, modality=b"CT", shape=(64, 64, 64), first=0, affine=OBLIQUE
) -> bytes:
    """A header with a valid checksum whatever its fields say."""
    numbers = np.asarray(affine, dtype="<f8").tobytes()
    body = struct.pack("<4sBB2s3II", magic, encoding, dtype, modality, *shape, first) + numbers
    return body + struct.pack("<I", zlib.crc32(body))


def chunk(payload: bytes) -> bytes:
    return CHUNK_HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def upload(data: bytes) -> None:
    decoded([data])


def test_declared_size_is_refused_before_allocating():
    """Faults 1 and 5."""
    with memory_bound(MEBIBYTE):
        for shape in [(2**32 - 1,) * 3, (1024, 1024, 1025), (1, 1, 2**32 - 1)]:
            with pytest.raises(LimitExceededError):
                upload(header(shape=shape, dtype=7))


def test_bytes_and_voxels_are_limited_apart():
    """Fault 5."""
    upload_of_8 = b"".join(encode_volume(made_volume((2, 2, 2), "<f8")))
    decoded([upload_of_8], Limits(max_voxels=8, max_volume_bytes=64))
    for limits in (Limits(max_voxels=7), Limits(max_volume_bytes=63)):
        with pytest.raises(LimitExceededError):
            decoded([upload_of_8], limits)


def test_deflate_bomb_inflates_to_one_chunk_only():
    """Fault 3."""
    bomb = deflate_bomb(CHUNK_BYTES)
    with memory_bound(4 * MEBIBYTE), pytest.raises(LimitExceededError, match="more than was declared"):
        upload(header() + chunk(bomb))


def test_many_chunks_in_few_bytes_never_lie_in_memory_together():
    """Fault 3."""
    data = header(shape=(512, 512, 64)) + chunk(zlib.compress(bytes(CHUNK_BYTES), 9)) * 128
    decoder = VolumeDecoder(Limits())
    with memory_bound(4 * MEBIBYTE):
        assert sum(len(raw) for _, raw in decoder.push(data)) == 2**25
    decoder.finish()


@pytest.mark.parametrize("encoding", list(Encoding))
def test_chunk_that_exceeds_the_declared_shape(encoding):
    """Fault 4."""
    start = header(encoding=encoding, shape=(2, 2, 2))
    with pytest.raises(LimitExceededError), memory_bound(MEBIBYTE):
        upload(start + CHUNK_HEAD.pack(2**32 - 1, 0))
    right = bytes(16) if encoding is Encoding.RAW else zlib.compress(bytes(16))
    upload(start + chunk(right))
    with pytest.raises(LimitExceededError, match="More comes"):
        upload(start + chunk(right) + b"\0")
    one_more = bytes(17) if encoding is Encoding.RAW else zlib.compress(bytes(17))
    with pytest.raises(LimitExceededError):
        upload(start + chunk(one_more))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_chunk_that_falls_short(encoding):
    """Fault 4."""
    short = bytes(15) if encoding is Encoding.RAW else zlib.compress(bytes(15))
    with pytest.raises(RequestError):
        upload(header(encoding=encoding, shape=(2, 2, 2)) + chunk(short))


def test_empty_body():
    """Fault 8."""
    with pytest.raises(RequestError, match="empty"):
        upload(b"")


@given(st.binary(min_size=HEADER_BYTES, max_size=400))
def test_garbage(data):
    """Fault 9."""
    assert isinstance(error_or_none(lambda: upload(data)), (RequestError, VersionMismatchError))


@given(st.binary(max_size=400), st.sampled_from(Encoding))
def test_garbage_behind_a_good_header(data, encoding):
    """Fault 9."""
    assert error_or_none(lambda: upload(header(encoding=encoding) + data)) is not None


def test_garbage_that_is_checksummed():
    """Fault 9."""
    for payload in (b"", b"no zlib stream", zlib.compress(bytes(16))[:-1], zlib.compress(bytes(16)) + b"\0"):
        with pytest.raises(RequestError):
            upload(header(shape=(2, 2, 2)) + chunk(payload))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_truncated_at_every_byte(encoding):
    """Fault 10."""
    data = b"".join(encode_volume(smooth_volume((5, 4, 3)), encoding))
    for length in range(len(data)):
        error = error_or_none(lambda end=length: upload(data[:end]))
        assert type(error) is RequestError, length


def test_zero_dimension():
    """Faults 11 and 12."""
    for shape in [(0, 4, 4), (4, 4, 0), (0, 0, 0)]:
        with pytest.raises(GeometryError):
            upload(header(shape=shape))


def test_unknown_voxel_type_or_encoding():
    """Fault 13."""
    for fields in ({"dtype": len(DTYPES)}, {"dtype": 255}, {"encoding": 2}):
        with pytest.raises(RequestError, match="not known"):
            upload(header(**fields))


@pytest.mark.parametrize(
    "change",
    [
        {(0, 0): 0.0, (0, 1): 0.0, (1, 0): 0.0, (1, 1): 0.0},  # 16 singular, 17 zero spacing
        {(0, 0): float("nan")},
        {(1, 3): float("inf")},
        {(3, 3): 2.0},
        {(0, 0): 1e200},  # whose square overflows
        {(2, 2): 1e-200},  # whose square vanishes
    ],
)
def test_affine(change):
    """Faults 16 and 17."""
    affine = OBLIQUE.copy()
    for place, value in change.items():
        affine[place] = value
    with pytest.raises(GeometryError):
        upload(header(affine=affine))


@given(st.lists(st.floats(), min_size=12, max_size=12))
def test_any_affine_is_good_or_typed(numbers):
    """Faults 16 and 17."""
    data = header(shape=(2, 2, 2), affine=[*numbers, 0, 0, 0, 1]) + chunk(zlib.compress(bytes(16)))
    error = error_or_none(lambda: upload(data))
    assert error is None or type(error) is GeometryError


@pytest.mark.parametrize("modality", [b"XA", b"ct", b"\0\0", b"\xff\xff"])
def test_unknown_modality(modality):
    """Fault 20."""
    with pytest.raises(RequestError, match="modality"):
        upload(header(modality=modality))


@settings(max_examples=300)
@given(st.data(), st.sampled_from(Encoding))
def test_every_flipped_bit_is_noticed(data, encoding):
    """Fault 21."""
    volume = smooth_volume((5, 4, 3))
    sent = bytearray(b"".join(encode_volume(volume, encoding)))
    bit = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[bit // 8] ^= 1 << bit % 8

    def receive() -> None:
        decoder, raw = decoded([bytes(sent)])
        assemble_volume(decoder.header, raw, volume.digest)

    assert error_or_none(receive) is not None


def test_damaged_chunk_is_named_and_those_before_are_good():
    """Fault 21."""
    volume = smooth_volume((64, 64, 70))
    pieces = list(encode_volume(volume))
    pieces[2] = pieces[2][:-1] + bytes([pieces[2][-1] ^ 1])
    decoder = VolumeDecoder(Limits())
    good = []
    with pytest.raises(ChecksumError, match="Chunk 1"):
        good.extend(decoder.push(b"".join(pieces)))
    assert [raw for _, raw in good] == [volume.voxels.tobytes()[:CHUNK_BYTES]]
    assert decoder.next_chunk == 1


def test_pickle_and_object_npy_are_refused():
    """Fault 41."""
    npy = BytesIO()
    np.save(npy, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for data in (pickle.dumps(list(range(200))), npy.getvalue()):
        with pytest.raises(RequestError, match="no volume"):
            upload(data + bytes(HEADER_BYTES))


def test_other_version():
    """Fault 61."""
    with pytest.raises(VersionMismatchError, match="'2'"):
        upload(header(magic=b"TSV2"))


def test_upload_that_begins_behind_the_end():
    with pytest.raises(RequestError, match="behind the end"):
        upload(header(first=2))
