"""Trilinear interpolation between grids with parallel axes, one axis at a time: first k, then j, then i."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textsegment.inference.image.canonical import resample

# Off-diagonal terms that shift no voxel by more than this (in voxels) are rounding errors of the header.
_NEGLIGIBLE_SHIFT = 1e-4

Part = tuple[slice | int, slice | int, slice | int]
"""Index of a part of an array ``[i, j, k]``."""
_Plane = NDArray[np.float32]


def interpolate(
    voxels: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Resample an array through an affine map of indices; border voxels extend beyond the array.

    Equals ``resample`` of order 1 up to rounding, but is ten times as fast where the axes of both grids are
    parallel, in any order and direction. For other grids, ``resample`` is called.

    Args:
        voxels: uint8 array ``[i, j, k]``.
        matrix: 4×4 matrix from an index of the result to a (fractional) index of ``voxels``.
        shape: Shape of the result.
    """
    parallel = ParallelGrids.between(voxels, matrix, shape)
    if parallel is None:
        found: NDArray[np.float32] = resample(voxels, matrix, shape, order=1, dtype=np.float32)
        return found
    rows = parallel.places[0].rows
    levels: NDArray[np.float32] = np.ascontiguousarray(parallel.source[rows], dtype=np.float32)
    for axis in (2, 1):
        levels = _along(levels, axis, parallel.places[axis])
    return _along(levels, 0, parallel.places[0].counted_from(rows.start))


class Places(NamedTuple):
    """Positions in a source along one axis, each between two voxels.

    Attributes:
        low: Index of the voxel below each position.
        high: Index of the voxel above it; the same at the last voxel.
        weight: float32 weight of the voxel above.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    weight: NDArray[np.float32]

    @classmethod
    def at(cls, places: NDArray[np.float64], length: int) -> Places:
        """Return the places at fractional indices of an axis of the given length, clipped to it."""
        places = np.clip(places, 0, length - 1)
        low = np.minimum(np.floor(places), max(length - 2, 0)).astype(np.intp)
        high = np.minimum(low + 1, length - 1)
        return cls(low, high, (places - low).astype(np.float32))

    @property
    def rows(self) -> slice:
        """Slice of the voxels between which the places lie."""
        return slice(int(self.low.min()), int(self.high.max()) + 1)

    def counted_from(self, start: int) -> Places:
        """Return the same places in a source from which the first voxels were cut off."""
        return Places(self.low - start, self.high - start, self.weight)

    def beside(self, wanted: NDArray[np.bool_]) -> slice:
        """Return the slice of the places that have one of the wanted voxels beside them."""
        hits = np.flatnonzero(wanted[self.low] | wanted[self.high])
        return slice(int(hits[0]), int(hits[-1]) + 1) if len(hits) else slice(0, 0)

    def only(self, part: slice) -> Places:
        """Return a part of the places."""
        return Places(self.low[part], self.high[part], self.weight[part])


@dataclass(frozen=True, eq=False)
class ParallelGrids:
    """A source whose axes are parallel to those of a result, in the order of the result.

    Attributes:
        source: uint8 array; its axis n is parallel to axis n of the result.
        places: For each axis, the places of the voxels of the result in the source.
    """

    source: NDArray[np.uint8]
    places: tuple[Places, Places, Places]

    @classmethod
    def between(
        cls, voxels: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int, int]
    ) -> ParallelGrids | None:
        """Return the grids of ``interpolate``; None if axes are not parallel."""
        axes = _parallel_axes(matrix, shape)
        if axes is None:
            return None
        source = voxels.transpose(axes)
        i, j, k = (
            Places.at(matrix[axis, 3] + matrix[axis, n] * np.arange(shape[n]), source.shape[n])
            for n, axis in enumerate(axes)
        )
        return cls(source, (i, j, k))

    def planes_above(self, threshold: float, axis: int) -> Iterator[tuple[Part, _Plane]]:
        """Yield the planes of the result that may hold a value above a threshold, cut to where it may be.

        Every value is that of ``interpolate``, to the last bit. An interpolated value never exceeds those
        between which it lies, so nothing above the threshold is left out.

        Args:
            threshold: Only values above it are needed; at least 1.
            axis: Axis across the planes, 0 or 2: that along which neighbours are farthest apart in memory.

        Yields:
            Where a part of a plane lies in the result, and the values there.
        """
        yield from (self._across_i if axis == 0 else self._across_k)(threshold)

    def _across_k(self, threshold: float) -> Iterator[tuple[Part, _Plane]]:
        i, j, k = self.places
        planes = np.ascontiguousarray(self.source.transpose(2, 0, 1))
        for n, (low, high, weight) in enumerate(zip(*k, strict=True)):
            levels = _between(planes[low].astype(np.float32), planes[high].astype(np.float32), weight)
            above = levels > threshold
            if not above.any():
                continue
            columns = j.beside(np.logical_or.reduce(above, axis=0))
            levels = _along(levels, 1, j.only(columns))
            rows = i.beside(np.logical_or.reduce(above, axis=1))
            yield (rows, columns, n), _along(levels, 0, i.only(rows))

    def _across_i(self, threshold: float) -> Iterator[tuple[Part, _Plane]]:
        i, j, k = self.places

        @lru_cache(maxsize=2)
        def plane(row: int) -> _Plane:
            return _along(_along(self.source[row].astype(np.float32), 1, k), 0, j)

        is_above = self.source > threshold
        for n, (low, high, weight) in enumerate(zip(*i, strict=True)):
            above = is_above[low] | is_above[high]
            if not above.any():
                continue
            rows = j.beside(np.logical_or.reduce(above, axis=1))
            columns = k.beside(np.logical_or.reduce(above, axis=0))
            below, over = plane(int(low))[rows, columns], plane(int(high))[rows, columns]
            yield (n, rows, columns), _between(below, over, weight)


def _parallel_axes(matrix: NDArray[np.float64], shape: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Return the axis of the source parallel to each axis of the result; None if axes are not parallel."""
    linear = matrix[:3, :3]
    a, b, c = (int(n) for n in np.abs(linear).argmax(axis=0))
    if len({a, b, c}) < 3:
        return None
    rest = np.abs(linear).copy()
    rest[[a, b, c], [0, 1, 2]] = 0
    return (a, b, c) if (rest @ np.asarray(shape)).max() < _NEGLIGIBLE_SHIFT else None


def _along(levels: NDArray[np.float32], axis: int, places: Places) -> NDArray[np.float32]:
    weight = places.weight.reshape([-1 if n == axis else 1 for n in range(levels.ndim)])
    below: NDArray[np.float32] = np.take(levels, places.low, axis=axis)
    found: NDArray[np.float32] = np.take(levels, places.high, axis=axis)
    found -= below
    found *= weight
    found += below
    return found


def _between(below: _Plane, above: _Plane, weight: np.float32) -> _Plane:
    found = above - below
    found *= weight
    found += below
    return found
