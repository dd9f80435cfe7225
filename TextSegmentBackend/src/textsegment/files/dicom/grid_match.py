"""Matching of an image from another program to its DICOM series, and transfer of masks to their grid.

Programs reorder or flip axes and compute grids slightly differently: the voxels are the same, but their order
is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import GeometryError, TextSegmentError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom.series import list_series
from textsegment.files.scan import Scan
from textsegment.geometry import Geometry
from textsegment.segmentation import StructureMask
from textsegment.wire.export_order import MismatchReason, VoxelSample

# Tolerance in voxels, since readers compute the same grid in slightly different ways.
_SAME_GRID = 0.1
# Images whose voxels correlate less than this are different.
_SAME_IMAGE = 0.9


_SENTENCES = {
    MismatchReason.MOVED: "The image is not where its DICOM files have it: it was moved, cut or resampled.",
    MismatchReason.NO_GRID: "No series in this folder has the grid of the image.",
    MismatchReason.OTHER_IMAGE: "The images in this folder have the same grid, but show something else.",
}


class ImageMismatchError(GeometryError):
    """The DICOM images are not the ones that the image was made from.

    Attributes:
        reason: Reason for the mismatch, which front ends can translate.
    """

    def __init__(self, reason: MismatchReason) -> None:
        super().__init__(_SENTENCES[reason], "Choose the DICOM images that were segmented.")
        self.reason = reason


@dataclass(frozen=True, eq=False)
class GridMove:
    """Mapping between the voxels of two grids that differ by permuted or flipped axes.

    Attributes:
        turn: Signed permutation matrix, 3×3.
        shift: Index of the first voxel on the other grid, an array of shape (3,).
    """

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]

    def apply(self, mask: StructureMask, geometry: Geometry) -> StructureMask:
        """Transfer a mask to the other grid, including its metadata.

        Args:
            mask: Mask on the first grid.
            geometry: Geometry of the other grid.
        """
        axes = np.abs(self.turn).argmax(axis=1)
        backward = [axis for axis in range(3) if self.turn[axis, axes[axis]] < 0]
        region = np.flip(mask.mask.transpose(axes), tuple(backward))
        ends = np.array([mask.box.start, np.maximum(mask.box.stop, 1)]) - [[0], [1]]
        start = np.minimum(*(ends @ self.turn.T + self.shift))
        i, j, k = (int(value) for value in start)
        moved = StructureMask.measured(
            mask.structure, region, geometry, start=(i, j, k), warnings=mask.warnings
        )
        return replace(moved, origin=mask.origin)

    def index(self, index: NDArray[np.int64]) -> tuple[Any, ...]:
        """Map indices of shape (n, 3) to the other grid, as an index expression for arrays."""
        return tuple((index @ self.turn.T + self.shift).astype(int).T)


def move_between(grid: Geometry, other: Geometry) -> GridMove | None:
    """Return the mapping between two grids with the same voxel positions, or None if they differ.

    Example:
        >>> grid = Geometry((2, 3, 4), np.diag([1.0, 1.0, 2.0, 1.0]))
        >>> turned = np.diag([-1.0, 1.0, 2.0, 1.0])
        >>> turned[0, 3] = 1.0
        >>> move_between(grid, Geometry((2, 3, 4), turned)).shift.tolist()
        [1.0, 0.0, 0.0]
    """
    to_other = np.linalg.inv(other.affine) @ grid.affine
    # Adding zero turns negative zeros into positive ones.
    turn, shift = np.rint(to_other[:3, :3]) + 0.0, np.rint(to_other[:3, 3]) + 0.0
    if not ((np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()):
        return None
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.spatial_shape) - 1)
    whole = corners @ turn.T + shift
    exact = corners @ to_other[:3, :3].T + to_other[:3, 3]
    is_same = (
        np.abs(exact - whole).max() < _SAME_GRID
        and (whole.min(axis=0) == 0).all()
        and (whole.max(axis=0) == np.array(other.spatial_shape) - 1).all()
    )
    return GridMove(turn, shift) if is_same else None


def find_scan(images: Sequence[Path | str], grid: Geometry, sample: VoxelSample) -> tuple[Scan, GridMove]:
    """Find and read the DICOM scan that an image was made from.

    Args:
        images: Files known to be those of the image, or one folder, in which the series with the same grid
            and voxels is chosen.
        grid: Grid of the image.
        sample: Sample of the voxels of the image.

    Returns:
        The scan, and the mapping from the given grid to that of the scan.

    Raises:
        ImageMismatchError: The DICOM images are not those of the image.
        TextSegmentError: The DICOM images cannot be read.
    """
    if len(images) != 1 or not Path(images[0]).is_dir():
        scan = read_dicom([Path(image) for image in images])
        move = move_between(grid, scan.volume.geometry)
        if move is None:
            raise ImageMismatchError(MismatchReason.MOVED)
        return scan, move
    (folder,) = images
    series = list_series(folder)
    has_grid = False
    for one in series:
        try:
            scan = read_dicom(folder, series=one.key)
        except TextSegmentError:
            if len(series) == 1:
                raise
            continue  # another series may match
        move = move_between(grid, scan.volume.geometry)
        has_grid |= move is not None
        if move is not None and is_same_image(sample, scan, move):
            return scan, move
    raise ImageMismatchError(MismatchReason.OTHER_IMAGE if has_grid else MismatchReason.NO_GRID)


def is_same_image(sample: VoxelSample, scan: Scan, move: GridMove) -> bool:
    """Whether voxels match up to a linear map, as activity may have been converted to uptake values."""
    theirs = scan.volume.voxels[move.index(sample.index)].astype(np.float64)
    if sample.values.std() == 0 or theirs.std() == 0:
        return bool(sample.values.std() == theirs.std())
    return float(np.corrcoef(sample.values, theirs)[0, 1]) > _SAME_IMAGE
