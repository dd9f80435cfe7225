"""The first 156 bytes of an upload: what volume it is, and where the upload begins."""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from textsegment.errors import ChecksumError, RequestError
from textsegment.geometry import Geometry
from textsegment.modality import MODALITIES
from textsegment.volume import Volume
from textsegment.wire.contract import PROTOCOL_VERSION, version_mismatch
from textsegment.wire.limits import Limits

CHUNK_BYTES = 2**18
"""Voxel bytes of every chunk but the last, before compression; a multiple of every voxel size."""

DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<f4", "<f8")
"""Types of voxels on the wire, as numpy names them; the place is the code."""

_MAGIC = b"TSV" + str(PROTOCOL_VERSION).encode()
# magic, encoding, code of the type, modality, shape, first chunk, affine row by row
_LAYOUT = struct.Struct("<4sBB2s3II16d")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _LAYOUT.size + _CHECKSUM.size


class Encoding(IntEnum):
    """How the bytes of a chunk travel."""

    RAW = 0
    DEFLATED = 1
    """Bytes of equal significance put together, then a zlib stream (RFC 1950)."""


@dataclass(frozen=True)
class VolumeHeader:
    """A volume without its voxels.

    Attributes:
        modality: ``CT``, ``MR``, ``PT`` or ``US``.
        dtype: One of ``DTYPES``.
        geometry: The grid.
    """

    modality: str
    dtype: str
    geometry: Geometry

    @classmethod
    def of(cls, volume: Volume) -> VolumeHeader:
        """Return the header of a volume whose voxels are of a type of the wire."""
        return cls(volume.modality, volume.voxels.dtype.str, volume.geometry)

    @property
    def voxel_bytes(self) -> int:
        """Bytes of one voxel."""
        return np.dtype(self.dtype).itemsize

    @property
    def volume_bytes(self) -> int:
        """Bytes of all voxels."""
        return math.prod(self.geometry.spatial_shape) * self.voxel_bytes

    @property
    def chunk_count(self) -> int:
        """Chunks of the whole volume, at least one."""
        return -(-self.volume_bytes // CHUNK_BYTES)

    def chunk_size(self, chunk: int) -> int:
        """Voxel bytes of one chunk: ``CHUNK_BYTES``, or what is left for the last."""
        return min(CHUNK_BYTES, self.volume_bytes - chunk * CHUNK_BYTES)

    def begin_digest(self) -> hashlib._Hash:
        """Return ``Volume.digest`` before the first voxel; update it with all chunks."""
        shape = tuple(self.geometry.spatial_shape)
        digest = hashlib.sha256(f"{self.modality}|{self.dtype}|{shape}|".encode())
        digest.update(self.geometry.affine.tobytes())
        return digest

    def to_bytes(self, encoding: Encoding, first_chunk: int) -> bytes:
        """Return the header of an upload that begins with the given chunk."""
        body = _LAYOUT.pack(
            _MAGIC,
            encoding,
            DTYPES.index(self.dtype),
            self.modality.encode("ascii"),
            *self.geometry.spatial_shape,
            first_chunk,
            *self.geometry.affine.ravel().tolist(),
        )
        return body + _CHECKSUM.pack(zlib.crc32(body))


def read_header(data: bytes, limits: Limits) -> tuple[VolumeHeader, Encoding, int]:
    """Read the header of an upload: the volume, the encoding, the first chunk.

    Args:
        data: ``HEADER_BYTES`` bytes.
        limits: What this server accepts.

    Raises:
        VersionMismatchError: Of another version of the protocol.
        RequestError: No header of an upload, or with numbers that mean nothing.
        ChecksumError: Damaged on the way.
        GeometryError: Zero dimension, singular or not finite affine.
        LimitExceededError: The volume is too large.
    """
    if data[:3] != _MAGIC[:3]:
        raise RequestError("The upload does not begin with TSV: it is no volume.", "See docs/protocol.md.")
    if data[3:4] != _MAGIC[3:]:
        raise version_mismatch(chr(data[3]))
    body, (checksum,) = data[: _LAYOUT.size], _CHECKSUM.unpack(data[_LAYOUT.size :])
    if zlib.crc32(body) != checksum:
        raise ChecksumError("The header of the upload was damaged on the way.", "Upload again.")
    _, encoding, dtype, modality, i, j, k, first_chunk, *affine = _LAYOUT.unpack(body)
    if encoding not in list(Encoding) or dtype >= len(DTYPES):
        raise RequestError("The encoding or the voxel type of the upload is not known.")
    limits.require_volume((i, j, k), np.dtype(DTYPES[dtype]).itemsize)
    geometry = Geometry((i, j, k), np.array(affine).reshape(4, 4))
    header = VolumeHeader(_modality(modality), DTYPES[dtype], geometry)
    if first_chunk >= header.chunk_count:
        raise RequestError("The upload begins behind the end of the volume.")
    return header, Encoding(encoding), first_chunk


def _modality(code: bytes) -> str:
    for modality in MODALITIES:
        if modality.encode("ascii") == code:
            return modality
    raise RequestError(f"The modality of the upload is not one of {', '.join(MODALITIES)}.")
