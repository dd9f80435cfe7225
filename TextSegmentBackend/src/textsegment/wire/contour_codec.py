"""Encoding of a mask that is to be outlined: a JSON head with its planes, then the packed and deflated bits.

The planes are those of the images. The request says where they lie, so that nothing else need be known.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import LimitExceededError, RequestError
from textsegment.geometry import Box
from textsegment.wire.contract import PROTOCOL_VERSION, version_mismatch
from textsegment.wire.inflate import inflate
from textsegment.wire.limits import Limits
from textsegment.wire.strict_json import Fields, read_object, write_object

OUTLINE_MAGIC = b"TSO" + str(PROTOCOL_VERSION).encode()
"""First four bytes of the body."""
MAX_HEAD_BYTES = 2**20
MAX_PLANES = 4096
MAX_POINTS = 2**22
"""Points of all contours of an answer."""

_LENGTH = struct.Struct("<I")
_LAST_VOXEL = 2**31
_FARTHEST_MM = 1e6
_LEAST_MM = 1e-6


@dataclass(frozen=True, eq=False)
class OutlinePlane:
    """A plane on which a mask is to be outlined.

    Attributes:
        place: Position along the third axis of the grid, in voxels.
        corner: Centre of the voxel (0, 0, place), in millimetres of any system of coordinates.
        i: Step to the next voxel along the first axis, in millimetres.
        j: Step to the next voxel along the second axis, in millimetres.
    """

    place: float
    corner: NDArray[np.float64]
    i: NDArray[np.float64]
    j: NDArray[np.float64]

    @property
    def spacing(self) -> tuple[float, float]:
        """Distance between voxels along the first and the second axis, in millimetres."""
        return float(np.linalg.norm(self.i)), float(np.linalg.norm(self.j))


@dataclass(frozen=True, eq=False)
class OutlineRequest:
    """A mask, and the planes on which it is to be outlined.

    Attributes:
        box: Box of the mask on its grid.
        mask: Voxels of the box, as a boolean array ``[i, j, k]``.
        planes: Planes, all perpendicular to the third axis.
    """

    box: Box
    mask: NDArray[np.bool_]
    planes: tuple[OutlinePlane, ...]


def decode_outline_request(body: bytes | bytearray, limits: Limits) -> OutlineRequest:
    """Decode the body of ``POST /v1/contours``.

    Raises:
        RequestError: The body is malformed.
        VersionMismatchError: It is of another version of the protocol.
        LimitExceededError: The mask is larger than a volume may be, or there are too many planes.
    """
    view = memoryview(body)
    start = len(OUTLINE_MAGIC) + _LENGTH.size
    if view[:3] != OUTLINE_MAGIC[:3] or len(view) < start:
        raise RequestError("The body is no mask that is to be outlined.")
    if view[:4] != OUTLINE_MAGIC:
        raise version_mismatch(chr(view[3]))
    (head_bytes,) = _LENGTH.unpack_from(view, len(OUTLINE_MAGIC))
    if head_bytes > min(MAX_HEAD_BYTES, len(view) - start):
        raise RequestError("The head of the mask is longer than the body, or than is accepted.")
    given = read_object(view[start : start + head_bytes], "The head of the mask")
    box = _box(given)
    planes = tuple(_plane(fields) for fields in given.objects("planes", MAX_PLANES))
    given.end()
    count = math.prod(box.shape)
    if count > limits.max_voxels:
        raise LimitExceededError(f"The box of the mask has more than {limits.max_voxels} voxels.")
    packed = np.frombuffer(inflate(view[start + head_bytes :], -(-count // 8)), dtype=np.uint8)
    mask = np.unpackbits(packed, count=count).view(np.bool_).reshape(box.shape)
    return OutlineRequest(box, mask, planes)


def encode_contours(contours: list[tuple[int, NDArray[np.float64]]]) -> bytes:
    """Encode the answer: number of its plane, and points of shape (n, 3) in millimetres, of each contour.

    Points are rounded to a tenth of a micrometre.
    """
    described = [
        {"plane": plane, "points": (np.round(points, 4) + 0.0).ravel().tolist()} for plane, points in contours
    ]
    return write_object({"contours": described})


def _box(given: Fields) -> Box:
    i, j, k = given.wholes("start", 3, 0, _LAST_VOXEL)
    p, q, r = given.wholes("stop", 3, 0, _LAST_VOXEL)
    box = Box((i, j, k), (p, q, r))
    if any(a > b for a, b in zip(box.start, box.stop, strict=True)):
        raise RequestError("The box of the mask ends before it begins.")
    return box


def _plane(given: Fields | None) -> OutlinePlane:
    if given is None:
        raise RequestError("A plane is an object.")
    place = given.real("place", -_FARTHEST_MM, _FARTHEST_MM)
    corner, i, j = (
        np.array(given.reals(name, 3, -_FARTHEST_MM, _FARTHEST_MM)) for name in ("corner", "i", "j")
    )
    given.end()
    plane = OutlinePlane(place, corner, i, j)
    if min(plane.spacing) < _LEAST_MM:
        raise RequestError("The steps of a plane have no length.")
    return plane
