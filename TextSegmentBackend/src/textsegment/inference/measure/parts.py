"""Connected parts of a mask: how many, how large, how far apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Parts smaller than this fraction of the largest are specks.
_SPECK = 0.01
# Voxels that are labelled at once: beyond, neighbours are joined first.
_MOST_VOXELS = 2**20
_MOST_POINTS = 4000
# Points compared at once with all others: 1 MB, which a processor's cache holds.
_POINTS_AT_ONCE = 32
_TOUCHING = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Parts:
    """Connected parts of a mask.

    Attributes:
        count: Number of parts, not counting specks of less than 1 % of the largest.
        second_share: Volume of the second largest part as a fraction of the largest; 0 if there is one.
        distance_mm: Distance between the surfaces of the two largest parts; NaN if there is one.
    """

    count: int
    second_share: float
    distance_mm: float


def parts_of(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> Parts:
    """Find the connected parts of a mask, whose voxels touch by a face, edge or corner.

    Args:
        mask: Boolean array ``[x, y, z]`` with true voxels; of a large one, voxels are joined to blocks first.
        spacing: Voxel size in millimetres.

    Example:
        >>> mask = np.zeros((20, 3, 3), dtype=bool)
        >>> mask[:10] = mask[15:] = True
        >>> parts_of(mask, (2.0, 1.0, 1.0))
        Parts(count=2, second_share=0.5, distance_mm=12.0)
    """
    counts, size = _pooled(mask, spacing)
    labels, number = ndimage.label(counts, structure=_TOUCHING)
    volumes = np.bincount(labels.ravel(), weights=counts.ravel(), minlength=number + 1)[1:]
    order = np.argsort(-volumes, kind="stable")
    count = int((volumes >= _SPECK * volumes[order[0]]).sum())
    if count < 2:
        return Parts(1, 0.0, math.nan)
    first, second = order[:2]
    boxes = ndimage.find_objects(labels)
    near = (_surface(labels, n + 1, boxes[n]) * size for n in (first, second))
    distance = _distance(next(near), next(near))
    return Parts(count, float(volumes[second] / volumes[first]), distance)


def _pooled(
    mask: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return the number of true voxels in each block, and the size of a block in millimetres."""
    step, size = [1, 1, 1], np.array(spacing)
    shape = np.array(mask.shape)
    while np.prod(-(-shape // step)) > _MOST_VOXELS:
        axis = int(np.argmin(np.where(shape > step, size * step, np.inf)))
        step[axis] *= 2
    if step == [1, 1, 1]:
        return mask.astype(np.uint16), size
    padded = np.pad(mask, [(0, -n % s) for n, s in zip(mask.shape, step, strict=True)])
    i, j, k = (n // s for n, s in zip(padded.shape, step, strict=True))
    blocks = padded.reshape(i, step[0], j, step[1], k, step[2])
    return blocks.sum(axis=(1, 3, 5), dtype=np.uint16), size * step


def _distance(some: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return the distance between the nearest points of two sets.

    All pairs are compared, which takes less time than importing SciPy's trees.
    """
    least = math.inf
    for part in np.array_split(some, -(-len(some) // _POINTS_AT_ONCE)):
        squares = sum(np.square(one[:, None] - other) for one, other in zip(part.T, others.T, strict=True))
        least = min(least, float(np.min(squares)))
    return math.sqrt(least)


def _surface(labels: NDArray[np.int32], number: int, box: tuple[slice, ...]) -> NDArray[np.float64]:
    """Return the indices of the surface voxels of one part, thinned if there are many."""
    inside = labels[box] == number
    edge = inside & ~ndimage.binary_erosion(inside)
    points = np.argwhere(edge) + [side.start for side in box]
    kept = points[:: -(-len(points) // _MOST_POINTS)]
    return np.asarray(kept, dtype=np.float64)
