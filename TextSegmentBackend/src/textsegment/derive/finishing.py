"""What a template asks to be done to a mask after the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.derive.holes import without_holes
from textsegment.derive.region import Region
from textsegment.derive.tidy_steps import Step, changes_ml, with_smooth_surface, without_stray_parts
from textsegment.geometry import Geometry
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.template import Finishing


def finished(
    mask: StructureMask, finishing: Finishing, geometry: Geometry, voxels: NDArray[Any] | None = None
) -> StructureMask:
    """Return a mask after the steps that a template asks for; it is never emptied.

    Args:
        mask: Mask of a structure.
        finishing: Steps.
        geometry: Geometry of the whole grid.
        voxels: Image on this grid, for the mean intensity.

    Returns:
        The same mask if nothing changes; otherwise a new one that says in its warnings what was removed and
        added. Its confidence, and what speaks against it, stay as they were measured.
    """
    region, said = Region(mask.box.start, mask.mask), list[Caution]()
    if region.is_empty:
        return mask
    steps: list[Callable[[Region, Geometry], Step]] = []
    if finishing.keep_largest:
        steps.append(lambda r, grid: without_stray_parts(r, 1.0, 0.0, grid))
    if finishing.smallest_part_ml:
        steps.append(lambda r, grid: without_stray_parts(r, 0.0, finishing.smallest_part_ml, grid))
    if finishing.fill_holes:
        steps.append(_filled)
    if finishing.smooth_mm:
        steps.append(lambda r, grid: with_smooth_surface(r, finishing.smooth_mm, grid))
    for step in steps:
        region, caution = step(region, geometry)
        said += [caution] if caution else []
    if not said:
        return mask
    measured = StructureMask.measured(
        mask.structure, region.voxels, geometry, start=region.start, voxels=voxels
    )
    statistics = replace(
        mask.statistics,
        voxel_count=measured.statistics.voxel_count,
        volume_ml=measured.statistics.volume_ml,
        mean_intensity=measured.statistics.mean_intensity,
        touches_border=measured.statistics.touches_border,
    )
    warnings = (*mask.warnings, *said)
    return replace(
        measured, statistics=statistics, warnings=warnings, origin=replace(mask.origin, tidied=True)
    )


def _filled(region: Region, geometry: Geometry) -> Step:
    full = Region(region.start, without_holes(region.voxels))
    _, added = changes_ml(region, full, geometry)
    return full, Caution("holes_filled", added_ml=added) if added else None
