"""Filling of holes in the slices of a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def without_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with the holes in each slice along the last axis filled.

    A hole is what cannot be reached from the border of the slice without crossing the mask, from pixel to
    pixel by their edges.

    Args:
        mask: Boolean array ``[i, j, k]``.

    Example:
        >>> ring = np.ones((3, 3, 1), dtype=bool)
        >>> ring[1, 1, 0] = False
        >>> int(without_holes(ring).sum())
        9
    """
    free = np.ones((mask.shape[0] + 2, mask.shape[1] + 2, mask.shape[2]), dtype=bool)
    free[1:-1, 1:-1] = ~mask
    outside = np.zeros_like(free)
    outside[[0, -1]] = outside[:, [0, -1]] = True
    reached = -1
    while (count := int(np.count_nonzero(outside))) != reached:
        reached = count
        for along in (0, 1):
            _sweep(np.moveaxis(outside, along, 0), np.moveaxis(free, along, 0))
    inside: NDArray[np.bool_] = ~outside[1:-1, 1:-1]
    return inside


def _sweep(outside: NDArray[np.bool_], free: NDArray[np.bool_]) -> None:
    """Carry what is outside along the first axis, there and back."""
    last = len(outside) - 1
    for to in range(1, last + 1):
        outside[to] |= outside[to - 1] & free[to]
    for to in range(last - 1, -1, -1):
        outside[to] |= outside[to + 1] & free[to]
