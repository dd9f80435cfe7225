"""Outlines of masks in a plane, as the closed polygons of structure sets.

An outline runs half-way between the centres of pixels inside and outside; only points on straight lines are
omitted. A reader that tests whether each pixel centre lies inside therefore recovers the mask exactly.
Coordinates are pixel indices ``(i, j)``, with integers at pixel centres.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import contourpy
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from textsegment.files.rtstruct.limits import shared_out, simplified_to
from textsegment.segmentation import StructureMask

Points = NDArray[np.float64]

# Slightly above one half, so that a reader that rounds points to whole pixels always gets pixels inside.
_LEVEL = np.float32(0.502)
# Twice the area, in pixels, of a triangle of neighbouring points that counts as a straight line.
_STRAIGHT = 1e-4
# Positions along the third axis closer than this, in voxels, count as equal.
_SAME_PLACE = 1e-3


def outlines_at(
    mask: StructureMask, place: float, spacing: tuple[float, float], most_points: int = 0
) -> list[Points]:
    """Return the outlines of a mask in a plane perpendicular to the third grid axis.

    Args:
        mask: Mask of the structure.
        place: Position of the plane along the third axis of the whole grid, in voxels. Between two slices the
            outline is interpolated from both.
        spacing: Pixel spacing along i and j, in millimetres.
        most_points: Largest number of points of a polygon, which then no longer follows the mask exactly; 0
            for any number.

    Returns:
        One polygon per connected part, of shape ``(n, 2)``, without repeating the first point. Holes are
        joined to their polygon by a keyhole: a channel of zero width.
    """
    k = round(place)
    if abs(place - k) <= _SAME_PLACE:
        signed = _slice(mask, k) - _LEVEL
    else:
        below = int(np.floor(place))
        signed = between(_slice(mask, below), _slice(mask, below + 1), place - below, spacing)
    offset = np.array(mask.box.start[:2], dtype=np.float64) - 1
    return [outline + offset for outline in _outlines(signed, most_points)]


def _outlines(signed: NDArray[np.floating], most_points: int) -> list[Points]:
    """Return the outlines of the area where a field ``[i, j]`` is positive; its rim must be negative."""
    generator = contourpy.contour_generator(
        z=signed.T, name="serial", fill_type=contourpy.FillType.OuterOffset
    )
    polygons, offsets = cast("tuple[list[Points], list[NDArray[np.uint32]]]", generator.filled(0.0, np.inf))
    found = []
    for polygon, ends in zip(polygons, offsets, strict=True):
        # contourpy repeats the first point of each ring at its end.
        rings = [_simplified(polygon[a : b - 1]) for a, b in pairwise(ends)]
        if most_points:
            shares = shared_out([len(ring) for ring in rings], most_points)
            rings = [simplified_to(ring, most) for ring, most in zip(rings, shares, strict=True)]
        outer, *holes = rings
        for hole in sorted(holes, key=lambda ring: float(ring[:, 0].min())):
            outer = _with_keyhole(outer, hole)
        found.append(outer)
    return found


def _slice(mask: StructureMask, k: int) -> NDArray[np.float32]:
    """Return one slice of the mask's box as 0 and 1, padded by one pixel."""
    i, j, _ = mask.box.shape
    padded = np.zeros((i + 2, j + 2), dtype=np.float32)
    if mask.box.start[2] <= k < mask.box.stop[2]:
        padded[1:-1, 1:-1] = mask.mask[:, :, k - mask.box.start[2]]
    return padded


def between(
    below: NDArray[np.float32], above: NDArray[np.float32], fraction: float, spacing: tuple[float, float]
) -> NDArray[np.float32]:
    """Interpolate between two slices by signed distances to their outlines.

    Args:
        below: Lower slice ``[i, j]`` of 0 and 1; the rim is 0.
        above: Upper slice, in the same form.
        fraction: Position between the slices: 0 at the lower one, 1 at the upper one.
        spacing: Pixel spacing along i and j, in millimetres.

    Returns:
        A field ``[i, j]`` that is positive inside the interpolated outline.
    """
    if not below.any() or not above.any():
        # There is no distance to an empty slice: use the nearer slice.
        return (below if fraction < 0.5 else above) - _LEVEL
    distance = (1 - fraction) * _depth(below, spacing) + fraction * _depth(above, spacing)
    return distance.astype(np.float32)


def _depth(slice_ij: NDArray[np.float32], spacing: tuple[float, float]) -> NDArray[np.float64]:
    inside = slice_ij > 0
    depth = distance_transform_edt(inside, spacing) - distance_transform_edt(~inside, spacing)
    return np.asarray(depth, dtype=np.float64)


def _simplified(ring: Points) -> Points:
    """Drop points of a closed ring that lie on the straight line between their neighbours."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return ring[np.abs(turn) > _STRAIGHT]


def _with_keyhole(outer: Points, hole: Points) -> Points:
    """Connect a hole to the nearest outline by a channel from its first point straight down along i.

    Holes must be passed in order of their smallest i, so that whatever the channel meets is already part of
    the outline.
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
