"""Rasterisation of the contours of one region on the slices of a scan.

Each slice takes the contours of the nearest plane, if that is at most half a slice away. Where contours were
drawn on every other slice, or with another slice spacing, the slices between two planes are interpolated.
Cautions report every contour that was not simply drawn on a slice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.files.rtstruct.contours import Points, between

# A contour lies on a slice if it is no further away than this fraction of the slice spacing.
_ON_SLICE = 0.1
# Contours closer together than this, in slices, form one plane, as holes or separate parts.
_SAME_PLANE = 0.05
# Positions this close to half-way between two slices count as half-way.
_HALF_WAY = 0.01
# Planes farther apart than usual by this factor have a gap between them; so do planes farther apart than
# anyone draws, unless they are neighbours.
_USUAL = 1.5
_FARTHEST_MM = 12.0
# Distance in pixels by which a contour may extend beyond the image without a warning.
_BESIDE_PIXEL = 0.5

Slice = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Plane:
    """Contours at one position along the third axis, in slices, and the pixels ``[i, j]`` inside them."""

    place: float
    count: int
    inside: Slice


def lay_on_slices(
    areas: Sequence[Points], shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.bool_], tuple[Caution, ...]]:
    """Return the voxels inside contours, and cautions about them.

    Args:
        areas: Points of each contour, of shape ``(n, 3)``, as voxel indices of the grid.
        shape: Shape (i, j, k) of the grid.
        spacing: Voxel spacing along i, j and k, in millimetres.

    Returns:
        A boolean array ``[i, j, k]``, and cautions that do not name the region.
    """
    usable = [points for points in areas if _lies_on_slice(points, shape[2])]
    planes = _planes(usable, shape[:2])
    whole = np.zeros(shape, dtype=bool, order="F")  # filled plane by plane
    nearest = _nearest_planes(planes, shape[2])
    for k, plane in nearest.items():
        whole[:, :, k] = plane.inside
    interpolated, empty = _fill_between(whole, planes, nearest, spacing)
    moved = [(abs(plane.place - k), plane.count) for k, plane in nearest.items()]
    moved = [(away, count) for away, count in moved if away > _ON_SLICE]
    kept = sum(plane.count for plane in nearest.values())
    counts = {
        "contours_left_out": len(areas) - len(usable),
        "contours_too_close": len(usable) - kept,
        "slices_interpolated": interpolated,
        "slices_without_contours": empty,
        "contours_beyond_image": sum(_leaves(points[:, :2], shape[:2]) for points in usable),
    }
    cautions = [Caution(code, count=count) for code, count in counts.items() if count]
    if usable and not whole.any():
        cautions.append(Caution("contours_too_small"))
    if moved:
        most_mm = round(max(away for away, _ in moved) * spacing[2], 2)
        cautions.append(Caution("contours_moved", count=sum(count for _, count in moved), most_mm=most_mm))
    return whole, tuple(cautions)


def _nearest_planes(planes: Sequence[_Plane], slices: int) -> dict[int, _Plane]:
    """Map slices to their planes: the nearest pairs first, each plane used once."""
    pairs = []
    for plane in planes:
        below = int(np.floor(plane.place))
        for k in (below, below + 1):
            away = abs(plane.place - k)
            if 0 <= k < slices and away <= 0.5 + _HALF_WAY:
                # Of two equally distant slices the upper one comes first, regardless of rounding.
                pairs.append((round(away, 2), k == below, k, plane))
    nearest: dict[int, _Plane] = {}
    for _, _, k, plane in sorted(pairs, key=lambda pair: pair[:3]):
        if k not in nearest and plane not in nearest.values():
            nearest[k] = plane
    return nearest


def _lies_on_slice(points: Points, slices: int) -> bool:
    """Whether a contour lies within half a slice of some slice and does not span several."""
    place = float(points[:, 2].mean())
    is_flat = np.abs(points[:, 2] - place).max() <= 0.5
    return bool(is_flat and -0.5 - _HALF_WAY <= place < slices - 0.5 + _HALF_WAY)


def _planes(areas: Sequence[Points], shape: tuple[int, int]) -> list[_Plane]:
    """Return the planes of contours from lowest to highest, with holes excluded."""
    planes: list[_Plane] = []
    for points in sorted(areas, key=lambda points: float(points[:, 2].mean())):
        place, inside = float(points[:, 2].mean()), _inside(points[:, :2], shape)
        if planes and place - planes[-1].place <= _SAME_PLANE:
            last = planes.pop()
            planes.append(_Plane(last.place, last.count + 1, last.inside ^ inside))
        else:
            planes.append(_Plane(place, 1, inside))
    return planes


def _fill_between(
    whole: NDArray[np.bool_],
    planes: Sequence[_Plane],
    nearest: dict[int, _Plane],
    spacing: tuple[float, float, float],
) -> tuple[int, int]:
    """Interpolate the slices that have no plane of their own.

    Returns:
        The number of slices interpolated, and of slices left empty between planes whose areas overlap.
    """
    places = [plane.place for plane in planes]
    usual = max(1.0, float(np.median(np.diff(places)))) if len(places) > 1 else 1.0
    farthest = max(min(_USUAL * usual, _FARTHEST_MM / spacing[2]), _USUAL)
    interpolated = empty = 0
    for k in range(min(nearest, default=0), max(nearest, default=0)):
        if k in nearest:
            continue
        at = bisect_right(places, k)
        below, above = planes[at - 1], planes[at]
        if above.place - below.place <= farthest:
            fraction = (k - below.place) / (above.place - below.place)
            whole[:, :, k] = _interpolated(below.inside, above.inside, fraction, spacing)
            interpolated += 1
        else:
            empty += bool((below.inside & above.inside).any())
    return interpolated, empty


def _interpolated(below: Slice, above: Slice, fraction: float, spacing: tuple[float, float, float]) -> Slice:
    low, high = (np.pad(inside, 1).astype(np.float32) for inside in (below, above))
    return np.asarray(between(low, high, fraction, spacing[:2])[1:-1, 1:-1] > 0)


def _leaves(polygon: Points, shape: tuple[int, int]) -> bool:
    """Whether a polygon extends noticeably beyond the image."""
    edge = 0.5 + _BESIDE_PIXEL
    return bool((polygon < -edge).any() or (polygon > np.array(shape) - 1 + edge).any())


def _inside(polygon: Points, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return whether each pixel centre ``[i, j]`` lies inside a polygon, by the even-odd rule along i."""
    start, stop = polygon, np.roll(polygon, -1, axis=0)
    first = np.ceil(np.minimum(start[:, 1], stop[:, 1])).clip(0, shape[1]).astype(np.intp)
    last = np.ceil(np.maximum(start[:, 1], stop[:, 1])).clip(0, shape[1]).astype(np.intp)
    # Every pair of an edge and a scan line that it crosses.
    edge = np.repeat(np.arange(len(polygon)), last - first)
    before = np.cumsum(last - first) - (last - first)
    line = first[edge] + np.arange(len(edge)) - before[edge]
    slope = (stop[edge, 0] - start[edge, 0]) / (stop[edge, 1] - start[edge, 1])
    crossing = np.ceil(start[edge, 0] + (line - start[edge, 1]) * slope).clip(0, shape[0]).astype(np.intp)
    turns = np.zeros((shape[0] + 1, shape[1]), dtype=np.intp)
    np.add.at(turns, (crossing, line), 1)
    inside: NDArray[np.bool_] = np.cumsum(turns, axis=0)[:-1] % 2 == 1
    return inside
