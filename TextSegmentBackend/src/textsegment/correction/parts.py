"""Which parts of a mask hang together, with numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def touching(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that share a voxel with the seeds; all of it if no part does.

    Voxels hang together through their faces.

    Args:
        mask: Boolean array ``[i, j, k]``.
        seeds: Boolean array of the same shape.

    Example:
        >>> mask = np.array([[[True, True, False, True]]])
        >>> touching(mask, np.array([[[True, False, False, False]]])).tolist()
        [[[True, True, False, False]]]
    """
    reached = mask & seeds
    if not reached.any():
        return mask
    count = -1
    while (now := int(np.count_nonzero(reached))) != count:
        count = now
        for axis in range(3):
            _sweep(np.moveaxis(reached, axis, 0), np.moveaxis(mask, axis, 0))
    return reached


def _sweep(reached: NDArray[np.bool_], mask: NDArray[np.bool_]) -> None:
    """Spread along the first axis, forth and back, in place."""
    for n in range(1, len(mask)):
        reached[n] |= reached[n - 1] & mask[n]
    for n in range(len(mask) - 2, -1, -1):
        reached[n] |= reached[n + 1] & mask[n]
