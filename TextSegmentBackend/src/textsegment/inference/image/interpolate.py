"""Trilinear interpolation between grids with parallel axes, one axis at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from textsegment.inference.image.canonical import resample

# Off-diagonal terms that shift no voxel by more than this (in voxels) are rounding errors of the header.
_NEGLIGIBLE_SHIFT = 1e-4


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
    axes = _parallel_axes(matrix, shape)
    if axes is None:
        found: NDArray[np.float32] = resample(voxels, matrix, shape, order=1, dtype=np.float32)
        return found
    # From here on, axis n of the source is parallel to axis n of the result.
    source = voxels.transpose(axes)
    places = [
        np.clip(matrix[axis, 3] + matrix[axis, n] * np.arange(shape[n]), 0, source.shape[n] - 1)
        for n, axis in enumerate(axes)
    ]
    rows = slice(int(np.floor(places[0].min())), int(np.ceil(places[0].max())) + 1)
    levels: NDArray[np.float32] = np.ascontiguousarray(source[rows], dtype=np.float32)
    for axis, at in ((2, places[2]), (1, places[1]), (0, places[0] - rows.start)):
        levels = _along(levels, axis, at)
    return levels


def _parallel_axes(matrix: NDArray[np.float64], shape: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Return the axis of the source parallel to each axis of the result; None if axes are not parallel."""
    linear = matrix[:3, :3]
    a, b, c = (int(n) for n in np.abs(linear).argmax(axis=0))
    if len({a, b, c}) < 3:
        return None
    rest = np.abs(linear).copy()
    rest[[a, b, c], [0, 1, 2]] = 0
    return (a, b, c) if (rest @ np.asarray(shape)).max() < _NEGLIGIBLE_SHIFT else None


def _along(levels: NDArray[np.float32], axis: int, places: NDArray[np.float64]) -> NDArray[np.float32]:
    low = np.minimum(np.floor(places), max(levels.shape[axis] - 2, 0)).astype(np.intp)
    high = np.minimum(low + 1, levels.shape[axis] - 1)
    weight = (places - low).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
    below: NDArray[np.float32] = np.take(levels, low, axis=axis)
    found: NDArray[np.float32] = np.take(levels, high, axis=axis)
    found -= below
    found *= weight
    found += below
    return found
