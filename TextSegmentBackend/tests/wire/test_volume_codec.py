import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import OBLIQUE, cut, decoded, dtypes, made_volume, shapes, smooth_volume

from textsegment.errors import ChecksumError, RequestError, UploadOutOfStepError, VolumeInvalidError
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import assemble_volume, encode_volume, wire_volume
from textsegment.wire.volumes.decoder import VolumeDecoder
from textsegment.wire.volumes.header import CHUNK_BYTES, Encoding, VolumeHeader

# Three chunks, the last one shorter.
THREE_CHUNKS = (64, 64, 70)


@given(shapes, dtypes, st.sampled_from(Encoding), st.lists(st.integers(0, 5000)), st.integers(0, 99))
def test_volume_comes_back_however_the_network_cuts_it(shape, dtype, encoding, places, seed):
    volume = made_volume(shape, dtype, seed)
    decoder, raw = decoded(cut(b"".join(encode_volume(volume, encoding)), places))
    again = assemble_volume(decoder.header, raw, volume.digest)
    assert again.voxels.dtype.str == dtype
    assert again.voxels.tobytes() == volume.voxels.tobytes()
    assert again.geometry == volume.geometry
    assert again.modality == volume.modality
    assert again.digest == volume.digest


@settings(max_examples=20)
@given(st.sampled_from(Encoding), st.lists(st.integers(0, 2_000_000), max_size=12), dtypes)
def test_chunk_boundaries_and_network_boundaries_do_not_interact(encoding, places, dtype):
    volume = made_volume((64, 64, 140 // np.dtype(dtype).itemsize), dtype)
    decoder, raw = decoded(cut(b"".join(encode_volume(volume, encoding)), places))
    assert decoder.next_chunk == decoder.header.chunk_count == 3
    assert raw == volume.voxels.tobytes()


def test_digest_is_what_the_protocol_says():
    volume = made_volume((3, 4, 5), "<u2")
    text = b"CT|<u2|(3, 4, 5)|" + volume.geometry.affine.astype("<f8").tobytes() + volume.voxels.tobytes()
    assert volume.digest == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("kept", [1, 2])
def test_upload_goes_on_at_the_next_chunk(encoding, kept):
    volume = smooth_volume(THREE_CHUNKS)
    pieces = list(encode_volume(volume, encoding))
    broken = VolumeDecoder(Limits())
    stored = b"".join(raw for _, raw in broken.push(b"".join(pieces[: kept + 1]) + pieces[kept + 1][:100]))
    with pytest.raises(RequestError, match=f"broke off after {kept} of 3"):
        broken.finish()

    second = VolumeDecoder(Limits(), broken.header, broken.next_chunk)
    rest = list(encode_volume(volume, Encoding.DEFLATED, first_chunk=kept))
    assert rest[1:] == list(encode_volume(volume))[kept + 1 :]
    chunks = list(second.push(b"".join(rest)))
    second.finish()
    assert [index for index, _ in chunks] == list(range(kept, 3))
    whole = stored + b"".join(raw for _, raw in chunks)
    assert np.array_equal(assemble_volume(second.header, whole, volume.digest).voxels, volume.voxels)


def test_upload_may_begin_afresh_although_chunks_are_stored():
    volume = smooth_volume(THREE_CHUNKS)
    decoder = VolumeDecoder(Limits(), VolumeHeader.of(volume), stored_chunks=2)
    assert [index for index, _ in decoder.push(b"".join(encode_volume(volume)))] == [0, 1, 2]
    decoder.finish()


@pytest.mark.parametrize("stored_chunks", [0, 2])
def test_upload_out_of_step_is_refused(stored_chunks):
    volume = smooth_volume(THREE_CHUNKS)
    decoder = VolumeDecoder(Limits(), VolumeHeader.of(volume), stored_chunks)
    with pytest.raises(UploadOutOfStepError):
        list(decoder.push(b"".join(encode_volume(volume, first_chunk=1))))


def test_upload_does_not_go_on_behind_another_volume():
    volume = smooth_volume(THREE_CHUNKS)
    other = VolumeHeader("CT", "<i2", volume.geometry)
    with pytest.raises(UploadOutOfStepError):
        list(VolumeDecoder(Limits(), other, 1).push(b"".join(encode_volume(volume, first_chunk=1))))


def test_other_volume_than_announced_is_refused():
    volume, other = made_volume(seed=1), made_volume(seed=2)
    decoder, raw = decoded(list(encode_volume(other)))
    with pytest.raises(ChecksumError):
        assemble_volume(decoder.header, raw, volume.digest)
    with pytest.raises(RequestError, match="bytes"):
        assemble_volume(decoder.header, raw[:-1], other.digest)


def test_boolean_voxels_are_zero_or_one():
    volume = made_volume((2, 2, 2), "|b1")
    with pytest.raises(RequestError, match="neither 0 nor 1"):
        assemble_volume(VolumeHeader.of(volume), bytes([2] * 8), volume.digest)


def test_smooth_voxels_shrink():
    volume = smooth_volume(THREE_CHUNKS)
    sizes = [len(p) for p in encode_volume(volume)]
    assert len(sizes) == 4
    assert sum(sizes) < 3 * CHUNK_BYTES / 5


@pytest.mark.parametrize(
    ("dtype", "values", "sent"),
    [
        (">i2", [-5, 7], "<i2"),
        ("<u4", [0, 2**31 - 1], "<i4"),
        ("<i8", [-(2**31), 3], "<i4"),
        ("<u4", [0, 2**32 - 1], "<f8"),
        ("<i8", [-(2**53), 2**53], "<f8"),
        ("<f2", [0.5, -2.25], "<f4"),
        (">f8", [0.1, 1e300], "<f8"),
        ("|b1", [False, True], "|b1"),
    ],
)
def test_other_types_travel_without_loss(dtype, values, sent):
    voxels = np.array(values, dtype=dtype).reshape(1, 1, 2)
    volume = wire_volume(Volume(voxels, Geometry((1, 1, 2), OBLIQUE), "CT"))
    assert volume.voxels.dtype.str == sent
    assert volume.voxels.ravel().tolist() == values


@pytest.mark.parametrize(("dtype", "value"), [("<i8", -(2**53) - 1), ("<u8", 2**64 - 1)])
def test_integers_that_no_type_of_the_wire_holds_are_refused(dtype, value):
    voxels = np.array([0, value], dtype=dtype).reshape(1, 1, 2)
    with pytest.raises(VolumeInvalidError, match="cannot be sent"):
        wire_volume(Volume(voxels, Geometry((1, 1, 2), OBLIQUE), "CT"))


def test_order_in_memory_does_not_matter():
    volume = made_volume((4, 5, 6))
    fortran = Volume(np.asfortranarray(volume.voxels), volume.geometry, "ct", warnings=("kept here",))
    assert wire_volume(fortran).digest == volume.digest
    assert list(encode_volume(wire_volume(fortran))) == list(encode_volume(volume))
