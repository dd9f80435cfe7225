"""An image as read from a file, before its modality is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import (
    GeometryError,
    InputError,
    InputUnreadableError,
    VolumeInvalidError,
)
from textsegment.geometry import Geometry

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Matrix that converts LPS coordinates to RAS and vice versa."""

# Maximum compression ratio of Deflate: a file that is smaller still cannot contain the declared voxels.
_HIGHEST_COMPRESSION = 1032


@dataclass(frozen=True, eq=False)
class RawImage:
    """Voxels and grid of an image file.

    Attributes:
        voxels: Numbers ``[i, j, k]`` in native byte order.
        geometry: Grid of the voxels, in RAS coordinates.
        warnings: Sentences that the user should see.
    """

    voxels: NDArray[Any]
    geometry: Geometry
    warnings: tuple[str, ...] = ()


def chosen_volume(
    shape: Sequence[int], number: int | None = None
) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """Return the spatial shape of an image, and the index of the chosen volume along further dimensions.

    Args:
        shape: Sizes of all dimensions; further dimensions of size one (a single time point) are allowed.
        number: Number of the volume (time point, channel), counted from 1, or None.

    Raises:
        VolumeInvalidError: The image is flat, or has several volumes and no number was given.
        GeometryError: A size is zero or negative.
        InputError: There is no volume with this number.
    """
    if len(shape) < 3:
        raise VolumeInvalidError(
            f"The image has {len(shape)} dimensions, three are needed.", "A slice is not enough."
        )
    if any(n < 1 for n in shape):
        raise GeometryError("A dimension of the image is zero or negative.", "Repair the image header.")
    others = tuple(int(n) for n in shape[3:])
    place = index_of_volume(math.prod(others), number)
    index = np.unravel_index(place, others, order="F") if others else ()
    return (int(shape[0]), int(shape[1]), int(shape[2])), tuple(int(i) for i in index)


def index_of_volume(count: int, number: int | None) -> int:
    """Return the index of the chosen volume, counted from 0.

    Args:
        count: Number of volumes.
        number: Number of the volume, counted from 1, or None.

    Raises:
        VolumeInvalidError: There are several volumes, and no number was given.
        InputError: There is no volume with this number.
    """
    if number is None and count > 1:
        raise VolumeInvalidError(
            f"The image has several time points or channels: {count}.",
            f"Say which with --volume and a number from 1 to {count}.",
            count,
        )
    if number is not None and not 1 <= number <= count:
        raise InputError(
            f"There is no volume {number} in the image.",
            f"They are counted from 1 to {count}." if count > 1 else "It has one: leave --volume out.",
        )
    return 0 if number is None else number - 1


def require_plausible_size(voxel_bytes: int, file_bytes: int, *, compressed: bool) -> None:
    """Reject a header that declares more voxels than the file can contain, before memory is allocated.

    Raises:
        InputUnreadableError: The file is too short.
    """
    if voxel_bytes > file_bytes * (_HIGHEST_COMPRESSION if compressed else 1):
        raise InputUnreadableError(
            "The file is too short for the image that it announces.", "It was cut off: copy it again."
        )
