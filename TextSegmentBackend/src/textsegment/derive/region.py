"""Set operations and margins on masks that are stored only inside their boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from textsegment.derive.margin import Margin, expand, reach_of
from textsegment.geometry import Box, Geometry


@dataclass(frozen=True, eq=False)
class Region:
    """A set of voxels on a grid.

    Attributes:
        start: Index (i, j, k) of the first element of ``voxels`` on the grid.
        voxels: Boolean array ``[i, j, k]``; everything outside it is false.
    """

    start: tuple[int, int, int]
    voxels: NDArray[np.bool_]

    @property
    def box(self) -> Box:
        """Box that ``voxels`` occupies on the grid."""
        i, j, k = (a + n for a, n in zip(self.start, self.voxels.shape, strict=True))
        return Box(self.start, (i, j, k))

    def slices_of(self, box: Box) -> tuple[slice, ...]:
        """Return the slices that cut a box, which lies inside that of the region, out of ``voxels``."""
        bounds = zip(box.start, box.stop, self.start, strict=True)
        return tuple(slice(a - origin, b - origin) for a, b, origin in bounds)

    @property
    def is_empty(self) -> bool:
        """Whether the region contains no voxel."""
        return not self.voxels.any()

    def within(self, box: Box) -> NDArray[np.bool_]:
        """Return the region inside a box as a boolean array; the box may extend beyond the grid."""
        order: Literal["C", "F"] = "F" if abs(self.voxels.strides[0]) < abs(self.voxels.strides[-1]) else "C"
        found = np.zeros(box.shape, dtype=bool, order=order)
        start = [max(a, b) for a, b in zip(self.start, box.start, strict=True)]
        stop = [min(a, b) for a, b in zip(self.box.stop, box.stop, strict=True)]
        if all(a < b for a, b in zip(start, stop, strict=True)):
            to, come = (
                tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, origin, strict=True))
                for origin in (box.start, self.start)
            )
            found[to] = self.voxels[come]
        return found


def union(one: Region, other: Region) -> Region:
    """Return the union of two regions."""
    if one.is_empty or other.is_empty:
        return other if one.is_empty else one
    start = tuple(min(a, b) for a, b in zip(one.start, other.start, strict=True))
    stop = tuple(max(a, b) for a, b in zip(one.box.stop, other.box.stop, strict=True))
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    both = Region(box.start, one.within(box))
    both.voxels[both.slices_of(other.box)] |= other.voxels
    return both


def intersection(one: Region, other: Region) -> Region:
    """Return the intersection of two regions."""
    return Region(one.start, one.voxels & other.within(one.box))


def difference(one: Region, other: Region) -> Region:
    """Return the voxels of the first region that are not in the second."""
    return Region(one.start, one.voxels & ~other.within(one.box))


def shared_count(one: Region, other: Region) -> int:
    """Return the number of voxels that two regions share, without copying either."""
    shared = one.box.intersection(other.box)
    if 0 in shared.shape:
        return 0
    return int(np.count_nonzero(one.voxels[one.slices_of(shared)] & other.voxels[other.slices_of(shared)]))


def with_margin(region: Region, margin: Margin, geometry: Geometry) -> tuple[Region, bool]:
    """Expand or contract a region by a margin.

    A region is assumed to continue beyond the image as it is at the border, so that a contraction removes
    nothing there.

    Returns:
        The resulting region, and whether a part of it was lost because it lies outside the image.
    """
    inside = Box.around(region.voxels)
    if inside is None:
        return region, False
    offsets = reach_of(margin, geometry).offsets
    wide = [n // 2 for n in offsets.shape]
    start = [a + b - w for a, b, w in zip(region.start, inside.start, wide, strict=True)]
    stop = [a + b + w for a, b, w in zip(region.start, inside.stop, wide, strict=True)]
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    if margin.contracts:
        around = continued(region, box, geometry)
        # A contraction is the expansion of the outside, so the offsets are mirrored.
        kept = region.within(box) & ~expand(~around, offsets[::-1, ::-1, ::-1])
        return Region(box.start, kept), False
    grown = Region(box.start, expand(region.within(box), offsets))
    whole = Box((0, 0, 0), geometry.spatial_shape)
    kept_box = _common(box, whole)
    kept = grown.within(kept_box)
    return Region(kept_box.start, kept), int(kept.sum()) < int(grown.voxels.sum())


def continued(region: Region, box: Box, geometry: Geometry) -> NDArray[np.bool_]:
    """Return the region inside a box, extending its border voxels beyond the grid."""
    part = _common(box, Box((0, 0, 0), geometry.spatial_shape))
    missing = [(a - b, d - c) for a, b, c, d in zip(part.start, box.start, part.stop, box.stop, strict=True)]
    return np.pad(region.within(part), missing, mode="edge")


def _common(one: Box, other: Box) -> Box:
    start = tuple(max(a, b) for a, b in zip(one.start, other.start, strict=True))
    stop = tuple(min(a, b) for a, b in zip(one.stop, other.stop, strict=True))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
