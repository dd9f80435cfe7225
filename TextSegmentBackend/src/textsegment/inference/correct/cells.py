"""The grid on which corrections are computed: blocks of voxels of the scan, in a region of interest.

Its axes are those of the scan, so a slice that was drawn is a slice here too, however oblique the scan lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from textsegment.geometry import Box, Geometry
from textsegment.inference.image.interpolate import ParallelGrids

# As fine as possible, but no more cells than are computed in a second, and none much finer than the features.
_MOST_CELLS = 200_000
_FINEST_MM = 1.5
_STEP_MM = 0.25
LEVELS = 254
"""Scale of shares stored as bytes."""
_BELOW_ALL = -1.0


@dataclass(frozen=True)
class CellGrid:
    """Blocks of voxels, the cells, that cover a region of a scan.

    Attributes:
        box: Region on the grid of the scan.
        strides: Number of voxels in a cell along (i, j, k); cells at the end of the region may have fewer.
        spacing: Size of a cell along (i, j, k), in millimetres.
    """

    box: Box
    strides: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @classmethod
    def over(cls, box: Box, geometry: Geometry) -> CellGrid:
        """Return cells of about equal sides that cover a region, at a resolution that takes a second."""
        size = _FINEST_MM
        strides = _strides(geometry.spacing, size)
        while prod(_shape(box, strides)) > _MOST_CELLS:
            size += _STEP_MM
            strides = _strides(geometry.spacing, size)
        x, y, z = (n * s for n, s in zip(strides, geometry.spacing, strict=True))
        return cls(box, strides, (x, y, z))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along (i, j, k)."""
        return _shape(self.box, self.strides)

    def centres(self) -> list[NDArray[np.float64]]:
        """Return the centres of the cells along each axis, as (fractional) indices of the scan."""
        return [
            start + (np.arange(n, dtype=np.float64) + 0.5) * stride - 0.5
            for start, n, stride in zip(self.box.start, self.shape, self.strides, strict=True)
        ]

    def indices(self) -> NDArray[np.float64]:
        """Return the centres of all cells as indices of the scan, of shape (n, 3), in C order."""
        axes = np.meshgrid(*self.centres(), indexing="ij")
        return np.stack([axis.ravel() for axis in axes], axis=1)

    def sums(self, voxels: NDArray[Any]) -> NDArray[np.float32]:
        """Return the sum over each cell of an array with the shape of the region."""
        found: NDArray[Any] = voxels
        # A cell has far fewer than 65,536 voxels.
        dtype = np.uint16 if voxels.dtype == np.bool_ else np.float32
        for axis, stride in enumerate(self.strides):
            if stride > 1:
                found = _summed(np.moveaxis(found, axis, 0), stride, dtype)
                found = np.moveaxis(found, 0, axis)
        return np.asarray(found, dtype=np.float32)

    def means(self, voxels: NDArray[Any]) -> NDArray[np.float32]:
        """Return the mean over each cell of an array with the shape of the region."""
        counts = [
            np.minimum(stride, size - np.arange(0, size, stride))
            for size, stride in zip(self.box.shape, self.strides, strict=True)
        ]
        i, j, k = (np.asarray(count, dtype=np.float32) for count in counts)
        found: NDArray[np.float32] = self.sums(voxels) / (i[:, None, None] * j[:, None] * k)
        return found

    def voxels_of(self, cells: Box) -> Box:
        """Return the box of voxels of the scan that cells occupy, with one more cell on each side."""
        start = [b + (a - 1) * n for b, a, n in zip(self.box.start, cells.start, self.strides, strict=True)]
        stop = [b + (a + 1) * n for b, a, n in zip(self.box.start, cells.stop, self.strides, strict=True)]
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).intersection(self.box)

    def within(self, part: Box) -> tuple[slice, ...]:
        """Return the slices that cut a box of voxels out of an array with the shape of the region."""
        corners = zip(part.start, part.stop, self.box.start, strict=True)
        return tuple(slice(a - origin, b - origin) for a, b, origin in corners)

    def refined(self, shares: NDArray[np.float32], part: Box) -> Iterator[NDArray[np.float32]]:
        """Interpolate values between 0 and 1 from the cells to the voxels of the scan, row by row.

        Args:
            shares: float32 array ``[i, j, k]`` with the shape of the grid.
            part: Box within the region, on the grid of the scan.

        Yields:
            For each row ``i`` of the part its values, float32 ``[j, k]``.
        """
        levels = np.rint(shares * LEVELS).astype(np.uint8)
        matrix = np.diag([1 / stride for stride in self.strides] + [1.0])
        offset = [a - b + 0.5 for a, b in zip(part.start, self.box.start, strict=True)]
        matrix[:3, 3] = [o / stride - 0.5 for o, stride in zip(offset, self.strides, strict=True)]
        grids = ParallelGrids.between(levels, matrix, part.shape)
        assert grids is not None
        for _, found in grids.planes_above(_BELOW_ALL, axis=0):
            yield found / np.float32(LEVELS)


def _summed(voxels: NDArray[Any], stride: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return sums of runs of elements along the first axis; many times as fast as ``np.add.reduceat``."""
    found: NDArray[Any] = voxels[::stride].astype(dtype)
    for n in range(1, stride):
        more = voxels[n::stride]
        found[: len(more)] += more.astype(dtype, copy=False)
    return found


def _strides(spacing: Sequence[float], size_mm: float) -> tuple[int, int, int]:
    x, y, z = (max(1, int(size_mm / s + 0.5)) for s in spacing)
    return (x, y, z)


def _shape(box: Box, strides: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (ceil(n / stride) for n, stride in zip(box.shape, strides, strict=True))
    return (x, y, z)
