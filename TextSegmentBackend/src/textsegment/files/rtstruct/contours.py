"""Outlines of masks in one plane: closed polygons, as structure sets hold them.

An outline runs half-way between the centres of pixels inside and outside; points on straight lines are left
out, nothing else. So a reader that asks for each pixel whether its centre lies inside gets the mask back
exactly. Coordinates are pixel indices ``(i, j)`` of pixel centres.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import contourpy
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from textsegment.segmentation import StructureMask

Points = NDArray[np.float64]

# A hair above one half: a reader that rounds points to whole pixels then always gets the pixels inside.
_LEVEL = np.float32(0.502)
# Twice the area, in pixels, of a triangle of neighbouring points that counts as a straight line.
_STRAIGHT = 1e-4
# Two places along the third axis that are nearer than this are the same.
_SAME_PLACE = 1e-3


def outlines_at(mask: StructureMask, place: float, spacing: tuple[float, float]) -> list[Points]:
    """Return the outlines of a mask in a plane across the third axis.

    Args:
        mask: The structure.
        place: Where the plane lies along the third axis of the whole grid, in voxels. Between two slices the
            outline is interpolated by the distances to both.
        spacing: Pixel spacing along i and j, millimetres.

    Returns:
        One polygon a connected part, ``(n, 2)``, the first point not repeated; the area of a hole is left
        out by way of a keyhole: a channel without width that leads to it.
    """
    k = round(place)
    if abs(place - k) <= _SAME_PLACE:
        signed = _slice(mask, k) - _LEVEL
    else:
        below = int(np.floor(place))
        signed = between(_slice(mask, below), _slice(mask, below + 1), place - below, spacing)
    offset = np.array(mask.box.start[:2], dtype=np.float64) - 1
    return [outline + offset for outline in _outlines(signed)]


def _outlines(signed: NDArray[np.floating]) -> list[Points]:
    """Return the outlines of the area where a field ``[i, j]`` is above zero; its rim must be below."""
    generator = contourpy.contour_generator(
        z=signed.T, name="serial", fill_type=contourpy.FillType.OuterOffset
    )
    polygons, offsets = cast("tuple[list[Points], list[NDArray[np.uint32]]]", generator.filled(0.0, np.inf))
    found = []
    for polygon, ends in zip(polygons, offsets, strict=True):
        # contourpy repeats the first point of each ring at its end.
        outer, *holes = (_simplified(polygon[a : b - 1]) for a, b in pairwise(ends))
        for hole in sorted(holes, key=lambda ring: float(ring[:, 0].min())):
            outer = _with_keyhole(outer, hole)
        found.append(outer)
    return found


def _slice(mask: StructureMask, k: int) -> NDArray[np.float32]:
    """Return one slice of the mask's box, with a rim of one pixel, as 0 and 1."""
    i, j, _ = mask.box.shape
    padded = np.zeros((i + 2, j + 2), dtype=np.float32)
    if mask.box.start[2] <= k < mask.box.stop[2]:
        padded[1:-1, 1:-1] = mask.mask[:, :, k - mask.box.start[2]]
    return padded


def between(
    below: NDArray[np.float32], above: NDArray[np.float32], fraction: float, spacing: tuple[float, float]
) -> NDArray[np.float32]:
    """Interpolate two slices by the signed distances to their rims, in millimetres.

    Args:
        below: 0 and 1 ``[i, j]``; the rim is 0.
        above: The same of the next slice.
        fraction: 0 at the lower slice, 1 at the upper one.
        spacing: Pixel spacing along i and j, millimetres.

    Returns:
        Above zero inside.
    """
    if not below.any() or not above.any():
        # Distances to nothing are not defined: the slice that is nearer counts.
        return (below if fraction < 0.5 else above) - _LEVEL
    distance = (1 - fraction) * _depth(below, spacing) + fraction * _depth(above, spacing)
    return distance.astype(np.float32)


def _depth(slice_ij: NDArray[np.float32], spacing: tuple[float, float]) -> NDArray[np.float64]:
    inside = slice_ij > 0
    depth = distance_transform_edt(inside, spacing) - distance_transform_edt(~inside, spacing)
    return np.asarray(depth, dtype=np.float64)


def _simplified(ring: Points) -> Points:
    """Leave out the points of a closed ring that lie on the straight line between their neighbours."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return ring[np.abs(turn) > _STRAIGHT]


def _with_keyhole(outer: Points, hole: Points) -> Points:
    """Lead a channel from the first point of the hole straight down along i to the outline that is nearest.

    Holes have to come in the order of their smallest i: what the channel meets is then part of the outline.
    """
    tip = int(np.argmin(hole[:, 0]))
    at_i, at_j = hole[tip]
    ends = np.roll(outer, -1, axis=0)
    low, high = np.minimum(outer[:, 1], ends[:, 1]), np.maximum(outer[:, 1], ends[:, 1])
    crossed = np.flatnonzero((low <= at_j) & (at_j < high))
    share = (at_j - outer[crossed, 1]) / (ends[crossed, 1] - outer[crossed, 1])
    meets = outer[crossed, 0] + share * (ends[crossed, 0] - outer[crossed, 0])
    nearest = int(np.argmax(np.where(meets <= at_i, meets, -np.inf)))
    edge, door = int(crossed[nearest]), np.array([[meets[nearest], at_j]])
    loop = np.concatenate([hole[tip:], hole[: tip + 1]])
    return np.concatenate([outer[: edge + 1], door, loop, door, outer[edge + 1 :]])
