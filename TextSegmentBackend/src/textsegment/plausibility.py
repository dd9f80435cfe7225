"""What the values of an image say about what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# More values than any list of structures has.
_MOST_LABELS = 4096
# Of neighbours that both lie in a structure, at least this many lie in the same one, along every axis.
_SAME_STRUCTURE = 0.7
_SAMPLES = 2_000_000


def looks_like_labels(voxels: NDArray[Any], *, partly: bool = False) -> bool:
    """Whether an image is a label map or mask: whole numbers from 0 up, the same ones side by side.

    Args:
        voxels: ``[i, j, k]``.
        partly: Whether this is a piece of an image, which may be empty or lie inside one structure.

    Example:
        >>> mask = np.zeros((8, 8, 8), dtype=np.uint8)
        >>> mask[2:6, 2:6, 2:6] = 1
        >>> looks_like_labels(mask)
        True
    """
    if voxels.size == 0 or _cannot_be_labels(voxels):
        return False
    if not partly and ((voxels != 0).all() or not voxels.any()):
        return False
    values = np.unique(_thinned(voxels))
    if len(values) > _MOST_LABELS:
        return False
    return all(_same_beside(voxels, axis) >= _SAME_STRUCTURE for axis in range(3))


def _cannot_be_labels(voxels: NDArray[Any]) -> bool:
    low, high = voxels.min(), voxels.max()
    if not (low >= 0 and high <= np.iinfo(np.uint16).max):  # NaN fails as well
        return True
    return voxels.dtype.kind == "f" and bool((voxels != np.rint(voxels)).any())


def _same_beside(voxels: NDArray[Any], axis: int) -> float:
    """Return how many neighbours along an axis are equal, of those that are both not background."""
    along = np.moveaxis(voxels, axis, 0)
    step = max(1, round((along.size / _SAMPLES) ** 0.5))
    along = along[:, ::step, ::step]
    both = (along[1:] != 0) & (along[:-1] != 0)
    count = int(both.sum())
    return 1.0 if count == 0 else float(((along[1:] == along[:-1]) & both).sum()) / count


def _thinned(voxels: NDArray[Any]) -> NDArray[Any]:
    step = max(1, round((voxels.size / _SAMPLES) ** (1 / 3)))
    return voxels[::step, ::step, ::step]
