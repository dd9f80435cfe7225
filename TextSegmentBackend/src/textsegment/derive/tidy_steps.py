"""The steps of tidying one mask; each returns the region that is left, and what it removed as a caution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.derive.components import connected_parts
from textsegment.derive.region import Region, shared_count, union
from textsegment.derive.smoothing import smoothed
from textsegment.geometry import Box, Geometry

_SIDE_TOLERANCE_MM = 5.0
_MOST_ON_OTHER_SIDE = 0.5

Step = tuple[Region, Caution | None]


def on_its_side(region: Region, side: str, midline: float, geometry: Geometry) -> Step:
    """Remove what lies more than 5 mm beyond the midline, unless that is most of the region.

    Args:
        region: Region of a structure on one side of the body.
        side: ``left`` or ``right``.
        midline: RAS coordinate x of the midline in millimetres.
        geometry: Geometry of the whole grid.
    """
    x = _coordinates(region.box, geometry)
    is_wrong = x > midline + _SIDE_TOLERANCE_MM if side == "left" else x < midline - _SIDE_TOLERANCE_MM
    if not is_wrong.any():
        return region, None
    is_wrong = is_wrong & region.voxels
    count = int(np.count_nonzero(is_wrong))
    # A structure that lies mostly on the other side is doubtful as a whole, and never erased for it.
    if count == 0 or count > _MOST_ON_OTHER_SIDE * np.count_nonzero(region.voxels):
        return region, None
    removed = millilitres(count, geometry)
    return Region(region.start, region.voxels & ~is_wrong), Caution("tidy_side", volume_ml=removed)


def without_stray_parts(region: Region, least_share: float, least_ml: float, geometry: Geometry) -> Step:
    """Remove connected parts that are smaller than a fraction of the largest one, or than a volume.

    Args:
        region: Region that is not empty; its largest part stays in any case.
        least_share: Fraction of the largest part below which a part is removed.
        least_ml: Volume in millilitres below which a part is removed.
        geometry: Geometry of the whole grid.
    """
    parts = connected_parts(region.voxels)
    largest = int(parts.sizes[0])
    least = max(least_share * largest, least_ml / geometry.voxel_volume_ml)
    kept = parts.sizes >= min(least, largest)
    if kept.all():
        return region, None
    removed = millilitres(int(parts.sizes[~kept].sum()), geometry)
    caution = Caution("tidy_parts", count=int(np.count_nonzero(~kept)), volume_ml=removed)
    return Region(region.start, parts.only(kept)), caution


def with_smooth_surface(region: Region, deviation_mm: float, geometry: Geometry) -> Step:
    """Smooth the surface, unless nothing would be left.

    Args:
        region: Region that is not empty.
        deviation_mm: Standard deviation of the smoothing in millimetres.
        geometry: Geometry of the whole grid.
    """
    smooth = smoothed(region, deviation_mm, geometry)
    if smooth.is_empty:
        return region, None
    removed, added = changes_ml(region, smooth, geometry)
    if removed == added == 0:
        return region, None
    return smooth, Caution("tidy_smoothed", deviation_mm=deviation_mm, removed_ml=removed, added_ml=added)


def _coordinates(box: Box, geometry: Geometry) -> NDArray[np.float64]:
    """Return the RAS coordinate x of a box; of length 1 along axes that it does not depend on."""
    x = np.full((1, 1, 1), geometry.affine[0, 3])
    for axis, (step, start, stop) in enumerate(zip(geometry.affine[0, :3], box.start, box.stop, strict=True)):
        if step:
            shape = [1, 1, 1]
            shape[axis] = -1
            x = x + (step * np.arange(start, stop)).reshape(shape)
    return x


def changes_ml(before: Region, after: Region, geometry: Geometry) -> tuple[float, float]:
    """Return the volumes that were removed from a region and added to it, in millilitres."""
    shared = shared_count(before, after)
    return (
        millilitres(int(np.count_nonzero(before.voxels)) - shared, geometry),
        millilitres(int(np.count_nonzero(after.voxels)) - shared, geometry),
    )


def agreement(one: Region, other: Region) -> float:
    """Return the Dice coefficient of two regions that are not both empty."""
    sizes = np.count_nonzero(one.voxels) + np.count_nonzero(other.voxels)
    return float(2 * shared_count(one, other) / sizes)


def united(regions: list[Region]) -> Region:
    """Return the union of at least one region."""
    whole = regions[0]
    for region in regions[1:]:
        whole = union(whole, region)
    return whole


def millilitres(count: int, geometry: Geometry) -> float:
    """Return the volume of a number of voxels in millilitres, rounded to three digits."""
    return float(f"{count * geometry.voxel_volume_ml:.3g}")
