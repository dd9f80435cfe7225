"""Measure the mask of one structure on the canonical grid; see ``segmentation.MaskStatistics``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.geometry import Box, Geometry
from textsegment.inference.accumulate import LEVELS, THRESHOLD, ProbabilityBox
from textsegment.inference.measure.coarse import Step, thinned
from textsegment.inference.measure.parts import parts_of
from textsegment.inference.measure.surroundings import SURE, Surroundings
from textsegment.vocabulary.anatomy import anatomy_of

_MIDLINE_MM = 5.0
_MOST_POINTS = 2**16


def measure(
    name: str,
    probability: ProbabilityBox,
    geometry: Geometry,
    surroundings: Surroundings | None,
    parts: tuple[str, ...],
    step: Step,
    within: Box | None = None,
) -> dict[str, Any]:
    """Measure a mask.

    Args:
        name: Name of the structure.
        probability: Its probabilities on the canonical grid.
        geometry: The canonical grid.
        surroundings: What else was found in the scan; None if nobody looked.
        parts: Parts of which the structure is the union.
        step: Step of the coarse grid of ``surroundings``.
        within: Box of the canonical grid to which the mask is limited; None for all of it.

    Returns:
        Fields of ``MaskStatistics``; empty if no voxel is true.
    """
    probability = _limited(probability, within)
    levels = probability.levels
    inside = levels > THRESHOLD
    count = int(np.count_nonzero(inside))
    if count == 0:
        return {}
    unsure = int(np.count_nonzero(levels[inside] < SURE * LEVELS))
    found = parts_of(inside, geometry.spacing)
    measured: dict[str, Any] = {
        "unsure_share": unsure / count,
        "part_count": found.count,
        "second_part_share": found.second_share,
        "second_part_distance_mm": found.distance_mm,
    }
    if surroundings is None:
        return measured
    places = geometry.to_ras(_points(inside) + probability.box.start)
    coarse = thinned(probability, step)
    return measured | {
        "wrong_side_share": _wrong_side_share(anatomy_of(name).side, places[:, 0], surroundings.midline_mm),
        "height_offset_mm": surroundings.height_offset_mm(name, float(places[:, 2].mean())),
        "claimed_share": surroundings.claimed_share(name, coarse),
        "whole_agreement": surroundings.whole_agreement(parts, coarse),
    }


def _limited(probability: ProbabilityBox, within: Box | None) -> ProbabilityBox:
    if within is None:
        return probability
    box = probability.box.intersection(within)
    start = probability.box.start
    kept = tuple(slice(a - s, b - s) for a, b, s in zip(box.start, box.stop, start, strict=True))
    return ProbabilityBox(box, probability.levels[kept])


def _points(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the indices of true voxels (n, 3), thinned if there are many."""
    flat = np.flatnonzero(inside)
    return np.stack(np.unravel_index(flat[:: -(-len(flat) // _MOST_POINTS)], inside.shape), axis=1)


def _wrong_side_share(side: str | None, right_mm: NDArray[np.float64], midline_mm: float) -> float:
    if side is None or math.isnan(midline_mm):
        return math.nan
    beyond = right_mm - midline_mm if side == "left" else midline_mm - right_mm
    return float((beyond > _MIDLINE_MM).mean())
