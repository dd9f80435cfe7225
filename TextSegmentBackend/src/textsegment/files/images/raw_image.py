"""What a file format gives before its modality is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import GeometryError, InputUnreadableError, VolumeInvalidError
from textsegment.geometry import Geometry

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Turns an affine to LPS into one to RAS, and back."""

# Deflate cannot shrink anything further than this, so a smaller file cannot hold the promised voxels.
_HIGHEST_COMPRESSION = 1032


@dataclass(frozen=True, eq=False)
class RawImage:
    """Voxels and grid of one image file.

    Attributes:
        voxels: Numbers ``[i, j, k]`` in native byte order.
        geometry: The grid, RAS.
        warnings: Sentences that the user should see.
    """

    voxels: NDArray[Any]
    geometry: Geometry
    warnings: tuple[str, ...] = ()


def three_dimensions(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the three sizes of an image, without trailing dimensions of one (a single time point).

    Raises:
        VolumeInvalidError: The image is flat, or has several time points or channels.
        GeometryError: A size is zero or negative.
    """
    if len(shape) < 3:
        raise VolumeInvalidError(
            f"The image has {len(shape)} dimensions, three are needed.", "A slice is not enough."
        )
    if any(n < 1 for n in shape):
        raise GeometryError("A dimension of the image is zero or negative.", "Repair the image header.")
    if any(n != 1 for n in shape[3:]):
        raise VolumeInvalidError(
            "The image has several time points or channels.", "Save the one to be segmented as its own file."
        )
    return (int(shape[0]), int(shape[1]), int(shape[2]))


def require_plausible_size(voxel_bytes: int, file_bytes: int, *, compressed: bool) -> None:
    """Refuse a header that promises more voxels than the file can hold, before memory is taken for them.

    Raises:
        InputUnreadableError: The file is too short.
    """
    if voxel_bytes > file_bytes * (_HIGHEST_COMPRESSION if compressed else 1):
        raise InputUnreadableError(
            "The file is too short for the image that it announces.", "It was cut off: copy it again."
        )
