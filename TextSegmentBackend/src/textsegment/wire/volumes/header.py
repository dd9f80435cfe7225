"""Header of an upload (156 bytes): the volume without voxels, and the first chunk sent."""

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
"""Voxel bytes per chunk except the last, before compression; a multiple of every voxel size."""

DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<f4", "<f8")
"""Voxel types that can be transmitted, as NumPy type strings; the index is the code."""

_MAGIC = b"TSV" + str(PROTOCOL_VERSION).encode()
# Magic, encoding, code of the type, modality, shape, first chunk, affine row by row.
_LAYOUT = struct.Struct("<4sBB2s3II16d")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _LAYOUT.size + _CHECKSUM.size


class Encoding(IntEnum):
    """Encoding of the bytes of a chunk."""

    RAW = 0
    DEFLATED = 1
    """Bytes grouped by significance, then compressed as a zlib stream (RFC 1950)."""


@dataclass(frozen=True)
class VolumeHeader:
    """Description of a volume without its voxels.

    Attributes:
        modality: ``CT``, ``MR``, ``PT`` or ``US``.
        dtype: NumPy type string, one of ``DTYPES``.
        geometry: Voxel grid.
    """

    modality: str
    dtype: str
    geometry: Geometry

    @classmethod
    def of(cls, volume: Volume) -> VolumeHeader:
        """Return the header of a volume from ``wire_volume``."""
        return cls(volume.modality, volume.voxels.dtype.str, volume.geometry)

    @property
    def voxel_bytes(self) -> int:
        """Size of one voxel in bytes."""
        return np.dtype(self.dtype).itemsize

    @property
    def volume_bytes(self) -> int:
        """Size of all voxels in bytes."""
        return math.prod(self.geometry.spatial_shape) * self.voxel_bytes

    @property
    def chunk_count(self) -> int:
        """Number of chunks of the whole volume, at least one."""
        return -(-self.volume_bytes // CHUNK_BYTES)

    def chunk_size(self, chunk: int) -> int:
        """Return the number of voxel bytes in a chunk: ``CHUNK_BYTES``, or the remainder for the last one."""
        return min(CHUNK_BYTES, self.volume_bytes - chunk * CHUNK_BYTES)

    def begin_digest(self) -> hashlib._Hash:
        """Start computing ``Volume.digest``: return a hash to be updated with the raw chunks in order."""
        shape = tuple(self.geometry.spatial_shape)
        digest = hashlib.sha256(f"{self.modality}|{self.dtype}|{shape}|".encode())
        digest.update(self.geometry.affine.tobytes())
        return digest

    def to_bytes(self, encoding: Encoding, first_chunk: int) -> bytes:
        """Encode the header of an upload that begins with the given chunk."""
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
    """Parse the header of an upload and return the volume header, the encoding and the first chunk.

    Args:
        data: Encoded header, ``HEADER_BYTES`` bytes.
        limits: Limits of this server.

    Raises:
        VersionMismatchError: The header uses another version of the protocol.
        RequestError: The data are not an upload header, or contain invalid numbers.
        ChecksumError: The header was damaged in transit.
        GeometryError: A dimension is zero, or the affine is singular or not finite.
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
