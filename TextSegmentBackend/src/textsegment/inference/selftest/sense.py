"""Do the masks of the sample scan make sense? Volumes, intensities, places and overlaps, by wide ranges.

No figures of published weights can be known here, but weights that do not belong together, or an image that
arrives wrong, give masks that are wrong in these respects.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.compare.metrics import dice
from textsegment.doubt import Calibration, of
from textsegment.inference.selftest.check import Check
from textsegment.inference.selftest.sample import EXPECTED, Expected, drawn_masks
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.anatomy import may_overlap

_MOST_SHARED = 0.25
# The demonstration model, which has not seen the scan, reaches 0.87; a network with one layer of channels in
# another order 0.6 or less, if that layer matters.
_LEAST_MEAN = 0.65
# First structure, second structure, axis (R, A, S), direction: the first lies at least 15 mm that way.
_PLACES = (
    ("right lung", "left lung", 0, "to the right of"),
    ("liver", "heart", 0, "to the right of"),
    ("heart", "vertebrae", 1, "in front of"),
    ("trachea", "heart", 2, "above"),
    ("heart", "liver", 2, "above"),
)
_LEAST_MM = 15.0
_VITAL_PLACE = ("right lung", "left lung")


def judge(segmentation: Segmentation) -> list[Check]:
    """Judge the masks of the sample scan.

    Args:
        segmentation: Masks of all structures of ``EXPECTED``, on the grid of the sample scan.
    """
    calibration = Calibration.of(segmentation.provenance)
    return [
        *(_of_structure(segmentation[one.structure], one, calibration) for one in EXPECTED),
        *_of_places(segmentation),
        _of_overlaps(segmentation),
        _of_drawing(segmentation),
    ]


def _of_structure(mask: StructureMask, expected: Expected, calibration: Calibration | None) -> Check:
    found, doubt = mask.statistics, of(mask, calibration)
    values: dict[str, Any] = {"volume_ml": round(found.volume_ml, 1), "verdict": doubt.verdict.value}
    lowest, highest = expected.volume_ml
    in_volume = lowest <= found.volume_ml <= highest
    if found.is_empty:
        finding = "not found" if expected.is_present else "not found, and not in the scan"
        return Check(expected.structure, in_volume, finding, values)
    darkest, brightest = expected.intensity_hu
    in_range = darkest <= found.mean_intensity <= brightest
    values["mean_hu"] = round(found.mean_intensity, 1)
    finding = f"{found.volume_ml:.0f} ml, {found.mean_intensity:.0f} HU"
    if not in_volume:
        finding += f"; expected {lowest:g} to {highest:g} ml"
    if not in_range:
        finding += f"; expected {darkest:g} to {brightest:g} HU"
    if doubt.reasons:
        finding += f" ({doubt})"
    return Check(expected.structure, in_volume and in_range, finding, values)


def _of_places(segmentation: Segmentation) -> Iterator[Check]:
    centres = {mask.structure: _centre(mask, segmentation) for mask in segmentation}
    for first, second, axis, direction in _PLACES:
        one, other = centres[first], centres[second]
        name, is_vital = f"{first} {direction} {second}", (first, second) == _VITAL_PLACE
        if one is None or other is None:
            yield Check(name, False, "one of them was not found", is_vital=is_vital)
            continue
        distance = float(one[axis] - other[axis])
        finding = f"by {distance:.0f} mm" if distance > 0 else f"on the opposite side, by {-distance:.0f} mm"
        values = {"distance_mm": round(distance, 1)}
        yield Check(name, distance >= _LEAST_MM, finding, values, is_vital)


def _of_overlaps(segmentation: Segmentation) -> Check:
    """Masks that depend on the words of their prompts are different for different words."""
    shared = {
        (one.structure, other.structure): _agreement(one, other, segmentation)
        for one, other in combinations(segmentation, 2)
        if not may_overlap(one.structure, other.structure)
    }
    (first, second), most = max(shared.items(), key=lambda item: item[1])
    finding = f"{first} and {second} share most, Dice {most:.2f}"
    values = {"most_shared": round(most, 3)}
    return Check("different structures are different", most <= _MOST_SHARED, finding, values, is_vital=True)


def _of_drawing(segmentation: Segmentation) -> Check:
    """Masks are about where people drew the structures."""
    found = {name: dice(segmentation.full_mask(name), drawn) for name, drawn in drawn_masks().items()}
    mean = sum(found.values()) / len(found)
    finding = f"mean Dice {mean:.2f}: " + ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    values = {"mean": round(mean, 3)} | {name: round(value, 3) for name, value in found.items()}
    return Check("masks are where they were drawn", mean >= _LEAST_MEAN, finding, values, is_vital=True)


def _centre(mask: StructureMask, segmentation: Segmentation) -> NDArray[np.float64] | None:
    if mask.statistics.is_empty:
        return None
    index = np.argwhere(mask.mask).mean(axis=0) + mask.box.start
    return segmentation.geometry.to_ras(index)


def _agreement(one: StructureMask, other: StructureMask, segmentation: Segmentation) -> float:
    if one.statistics.is_empty or other.statistics.is_empty:
        return 0.0
    shape = segmentation.geometry.spatial_shape
    return dice(one.full(shape), other.full(shape))
