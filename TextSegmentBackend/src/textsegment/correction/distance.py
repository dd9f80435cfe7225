"""Distances to a mask in millimetres, up to a limit, with numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def distance(
    mask: NDArray[np.bool_], spacing: Sequence[float], limit_mm: float, axes: Sequence[int] = (0, 1, 2)
) -> NDArray[np.float32]:
    """Return the distance of each voxel centre from the nearest one of a mask, in millimetres.

    Args:
        mask: Boolean array ``[i, j, k]``.
        spacing: Voxel size along (i, j, k), in millimetres.
        limit_mm: Larger distances are given as this.
        axes: Axes along which to measure: two of them for distances in each slice by itself.

    Returns:
        float32 array with the shape of the mask.

    Example:
        >>> distance(np.array([[[False, False, True, False]]]), (1, 1, 2.0), 3.0)[0, 0].tolist()
        [3.0, 2.0, 0.0, 2.0]
    """
    first, *others = axes
    squares = _along_line(mask, first, spacing[first], limit_mm)
    for axis in others:
        squares = _lower_envelope(squares, axis, spacing[axis], limit_mm)
    return np.asarray(np.sqrt(squares), dtype=np.float32)


def signed_distance(
    mask: NDArray[np.bool_], spacing: Sequence[float], limit_mm: float, axes: Sequence[int] = (0, 1, 2)
) -> NDArray[np.float32]:
    """Return distances to the surface of a mask, positive inside; see ``distance``."""
    return distance(~mask, spacing, limit_mm, axes) - distance(mask, spacing, limit_mm, axes)


def _along_line(mask: NDArray[np.bool_], axis: int, size: float, limit_mm: float) -> NDArray[np.float32]:
    """Return squared distances along one axis."""
    length = mask.shape[axis]
    far = 2 * length + int(limit_mm / size) + 2
    places = np.arange(length, dtype=np.int32).reshape([-1 if a == axis else 1 for a in range(3)])
    last = np.maximum.accumulate(np.where(mask, places, -far), axis=axis)
    following = np.flip(
        np.minimum.accumulate(np.flip(np.where(mask, places, far + length), axis), axis=axis), axis
    )
    steps = np.minimum(places - last, following - places).astype(np.float32)
    squares: NDArray[np.float32] = np.square(np.minimum(steps * np.float32(size), np.float32(limit_mm)))
    return squares


def _lower_envelope(
    squares: NDArray[np.float32], axis: int, size: float, limit_mm: float
) -> NDArray[np.float32]:
    """Return the smallest sum of a squared distance along an axis and the square found there."""
    source = np.moveaxis(squares, axis, 0)
    found = source.copy()
    for step in range(1, min(int(limit_mm / size), len(source) - 1) + 1):
        more = np.float32((step * size) ** 2)
        np.minimum(found[step:], source[:-step] + more, out=found[step:])
        np.minimum(found[:-step], source[step:] + more, out=found[:-step])
    return np.moveaxis(found, 0, axis)
