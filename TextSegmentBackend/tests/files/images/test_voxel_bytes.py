"""Voxels of a volume are read in one piece, whatever the compression; a file that is cut off is noticed."""

import bz2
import gzip
import zlib

import numpy as np
import pytest

from textsegment.files.images import voxel_bytes
from textsegment.files.images.voxel_bytes import read_volume_of

SHAPE = (5, 4, 3, 2)
IMAGE = np.random.default_rng(0).integers(-900, 900, SHAPE).astype(">i2")
HEADER = b"header of an odd length"
CONTENT = HEADER + IMAGE.tobytes("F")


def stored(path, content=CONTENT, compress=bytes):
    path.write_bytes(compress(content))
    return path


def read(path, index=(0,), slices=3):
    return read_volume_of(path, SHAPE, IMAGE.dtype, len(HEADER), index, slices)


def in_members(content: bytes) -> bytes:
    """Several gzip files in a row, with the zeros between them that tapes leave."""
    return b"\0\0".join(gzip.compress(content[n : n + 37]) for n in range(0, len(content), 37))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, in_members, bz2.compress])
@pytest.mark.parametrize("piece", [1, 7, 2**21])
def test_each_volume_is_what_the_file_holds(tmp_path, monkeypatch, compress, piece):
    monkeypatch.setattr(voxel_bytes, "_READ", piece)
    monkeypatch.setattr(voxel_bytes, "_INFLATED", piece)
    path = stored(tmp_path / "image", compress=compress)
    for number in range(2):
        voxels = read(path, (number,))
        assert np.array_equal(voxels, IMAGE[..., number])
        assert voxels.flags.f_contiguous
    assert np.array_equal(read(path, (1,), slices=1), IMAGE[:, :, :1, 1])


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_a_file_that_is_cut_off_is_noticed(tmp_path, compress):
    for path in (
        stored(tmp_path / "content", CONTENT[:-1], compress),
        stored(tmp_path / "file", compress(CONTENT)[:-20]),
    ):
        with pytest.raises(EOFError):
            read(path, (1,))


def test_damage_inside_is_noticed(tmp_path):
    packed = bytearray(gzip.compress(CONTENT))
    packed[20:40] = bytes(20)
    with pytest.raises((zlib.error, EOFError)):
        read(stored(tmp_path / "image", bytes(packed)), (1,))
