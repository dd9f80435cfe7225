"""Limits of contours that planning systems or sites set: their area, and their number of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
_LEAST = 3  # points of a ring


def area_mm2(outline: Points, spacing: tuple[float, float]) -> float:
    """Return the area of a closed polygon of pixel indices ``(i, j)``; holes by keyhole do not count.

    Args:
        outline: Points, of shape ``(n, 2)``.
        spacing: Pixel spacing along i and j, in millimetres.
    """
    i, j = outline.T
    twice = i @ np.roll(j, -1) - j @ np.roll(i, -1)
    return abs(float(twice)) / 2 * spacing[0] * spacing[1]


def shared_out(sizes: list[int], most: int) -> list[int]:
    """Share out points among the rings of one contour: its outline, and its holes.

    Args:
        sizes: Number of points of each ring.
        most: Largest number of points of the contour with its keyholes, which take three points a hole.

    Returns:
        Largest number of points of each ring, at least three, in proportion to what it has.
    """
    free = most - 3 * (len(sizes) - 1)
    return [max(_LEAST, size * free // sum(sizes)) for size in sizes]


def simplified_to(ring: Points, most: int) -> Points:
    """Return a closed ring with at most so many points, leaving out those that change its area least.

    In each round no two neighbours are left out.

    Args:
        ring: Points, of shape ``(n, 2)``.
        most: Largest number of points, at least three.
    """
    while (surplus := len(ring) - most) > 0:
        before, after = np.roll(ring, 1, axis=0) - ring, np.roll(ring, -1, axis=0) - ring
        change = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        is_least = (change < np.roll(change, 1)) & (change <= np.roll(change, -1))
        if not is_least.any():
            is_least[np.argmin(change)] = True
        candidates = np.flatnonzero(is_least)
        dropped = candidates[np.argsort(change[candidates], kind="stable")[:surplus]]
        ring = np.delete(ring, dropped, axis=0)
    return ring
