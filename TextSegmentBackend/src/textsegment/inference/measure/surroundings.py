"""What else is in a scan: landmarks, by which place, side and neighbours of a mask are judged."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsegment.geometry import Box, Geometry, closest_axes
from textsegment.inference.accumulate import LEVELS, THRESHOLD, ProbabilityBox
from textsegment.inference.measure.coarse import Step
from textsegment.vocabulary.anatomy import anatomy_of, load_anatomy, may_overlap

SURE = 0.7
"""Probability from which the model counts as sure of a voxel."""

_FEWEST_LANDMARKS = 2
# Share of unsure voxels beyond which a structure tells nothing about where the image lies.
_MOST_UNSURE = 0.35
_MOST_PARTS = 12
# Spread beyond which a structure tells nothing about place: images show any part of aorta, spine and back
# muscles, and small models take tissue along the whole body for them.
_WIDEST_SPREAD_MM = 100
_OUT_OF_PLACE_MM = 200
# Landmarks tell where the image lies if most of what they are worth agrees within a hand's breadth: otherwise
# some of them are not what they seem, such as kidneys that were seen in a head.
_AGREE_WITHIN_MM = 120
_AGREEING_SHARE = 2 / 3
# An image stands on its head if its landmarks, read that way, lie so many millimetres and so many times
# closer to where they should. One that is not what it seems, a kidney in a neck, fits in neither order.
_BETTER_REVERSED_MM = 40
_TIMES_BETTER_REVERSED = 4


@dataclass(frozen=True)
class Landmark:
    """A structure that was found on the coarse grid, and of which the model is sure.

    Attributes:
        name: Name of the structure.
        centre: Its centre (R, A, S) in millimetres.
        weight: How much its place is worth: more if it is large and the model is sure of it.
        is_cut: Whether it reaches the left or right border of the image.
    """

    name: str
    centre: NDArray[np.float64]
    weight: float
    is_cut: bool


class Surroundings:
    """The structures that were decoded on the coarse grid of a scan.

    Args:
        found: Probabilities by name, on the coarse grid; None where a structure was not found.
        geometry: Grid of all voxels of the canonical image.
        step: Step of the coarse grid.

    Attributes:
        midline_mm: R coordinate of the midline of the body in millimetres, between the halves of pairs and
            in unpaired structures that lie on it; NaN if none of them was found, or all are cut off at the
            side.
        is_upside_down: Whether the landmarks lie in reverse order from head to feet. Then heights tell
            nothing.
    """

    def __init__(
        self,
        found: Mapping[str, ProbabilityBox | None],
        geometry: Geometry,
        step: Step,
    ) -> None:
        self._found = found
        self._landmarks = tuple(_landmarks(found, geometry, step))
        self.midline_mm = _midline(self._landmarks)
        self.is_upside_down = self._is_upside_down()

    def height_offset_mm(self, name: str, height: float) -> float:
        """Return how far above its usual place a structure lies, as the other structures place it.

        Args:
            name: Name of the structure.
            height: S coordinate of its centre in millimetres.

        Returns:
            Millimetres, negative below; NaN if its usual height is unknown, there are too few landmarks, they
            contradict each other, or the image stands on its head.
        """
        usual = anatomy_of(name).height_mm
        others = [
            (landmark, other)
            for landmark, other in self._placed()
            if landmark.name not in (name, anatomy_of(name).twin) and not may_overlap(name, landmark.name)
        ]
        count = sum(self._counts_as(landmark) for landmark, _ in others)
        if usual is None or count < _FEWEST_LANDMARKS or self.is_upside_down:
            return math.nan
        weighted = [(landmark.centre[2] - other, self._worth(landmark)) for landmark, other in others]
        middle = _weighted_median(weighted)
        agreeing = sum(weight for offset, weight in weighted if abs(offset - middle) <= _AGREE_WITHIN_MM)
        if agreeing < _AGREEING_SHARE * sum(weight for _, weight in weighted):
            return math.nan
        return height - usual - middle

    def _placed(self) -> list[tuple[Landmark, float]]:
        """Return the landmarks that tell where in the body an image lies, with their usual heights."""
        facts = ((landmark, anatomy_of(landmark.name)) for landmark in self._landmarks)
        return [
            (landmark, known.height_mm)
            for landmark, known in facts
            if known.height_mm is not None and known.spread_mm <= _WIDEST_SPREAD_MM
        ]

    def _is_upside_down(self) -> bool:
        placed = self._placed()
        if sum(self._counts_as(landmark) for landmark, _ in placed) < _FEWEST_LANDMARKS:
            return False
        upright, reversed_ = (
            _scatter([(mark.centre[2] - sign * usual, self._worth(mark)) for mark, usual in placed])
            for sign in (1, -1)
        )
        return upright > max(_TIMES_BETTER_REVERSED * reversed_, reversed_ + _BETTER_REVERSED_MM)

    def _worth(self, landmark: Landmark) -> float:
        return landmark.weight * self._counts_as(landmark)

    def _counts_as(self, landmark: Landmark) -> float:
        """Return 1, or a half if the other side was found: what is mistaken for one is so for both."""
        twin = anatomy_of(landmark.name).twin
        return 0.5 if any(other.name == twin for other in self._landmarks) else 1.0

    def claimed_share(self, name: str, coarse: ProbabilityBox) -> float:
        """Return the fraction of a mask that a landmark which may not overlap it claims more strongly.

        Args:
            name: Name of the structure.
            coarse: Its probabilities on the coarse grid.
        """
        inside = coarse.levels > THRESHOLD
        others = [
            probability
            for other, probability in self._found.items()
            if other != name and not may_overlap(name, other) and self._is_credible(other)
        ]
        if not others or not inside.any():
            return math.nan
        highest = np.zeros_like(coarse.levels)
        for probability in others:
            if probability is not None:
                _raise_to(highest, coarse.box, probability)
        return float((highest[inside] > coarse.levels[inside]).mean())

    def _is_credible(self, name: str) -> bool:
        """Return whether a structure is a landmark of a certain place, and the others place it there."""
        facts = anatomy_of(name)
        if not facts.is_landmark or facts.spread_mm > _WIDEST_SPREAD_MM:
            return False
        heights = [landmark.centre[2] for landmark in self._landmarks if landmark.name == name]
        return any(abs(self.height_offset_mm(name, z)) <= _OUT_OF_PLACE_MM for z in heights)

    def whole_agreement(self, parts: Sequence[str], coarse: ProbabilityBox) -> float:
        """Return the Dice coefficient of a mask and the union of its parts; NaN if parts are not known.

        Args:
            parts: Names of all parts.
            coarse: Probabilities of the whole on the coarse grid.
        """
        whole = coarse.levels > THRESHOLD
        if not parts or any(part not in self._found for part in parts) or not whole.any():
            return math.nan
        found = [self._found[part] for part in parts]
        boxes = [coarse.box, *(part.box for part in found if part is not None)]
        low = np.min([box.start for box in boxes], axis=0)
        high = np.max([box.stop for box in boxes], axis=0)
        (i, j, k), (p, q, r) = low.tolist(), high.tolist()
        frame = Box((i, j, k), (p, q, r))
        union = np.zeros(frame.shape, dtype=np.uint8)
        for part in found:
            if part is not None:
                _raise_to(union, frame, part)
        own = np.zeros(frame.shape, dtype=np.uint8)
        _raise_to(own, frame, coarse)
        one, other = own > THRESHOLD, union > THRESHOLD
        return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def landmarks_in(offered: Collection[str]) -> tuple[str, ...]:
    """Return the names of the landmarks among the prompts that a model offers."""
    return tuple(name for name, facts in load_anatomy().items() if facts.is_landmark and name in offered)


def parts_in(name: str, offered: Collection[str], modality: str) -> tuple[str, ...]:
    """Return the parts of which a structure is the union, if the model offers all of them."""
    parts = anatomy_of(name).parts_in(modality)
    return parts if 2 <= len(parts) <= _MOST_PARTS and all(part in offered for part in parts) else ()


def _landmarks(
    found: Mapping[str, ProbabilityBox | None], geometry: Geometry, step: Step
) -> Iterator[Landmark]:
    voxel_ml = geometry.voxel_volume_ml * math.prod(step)
    across = closest_axes(geometry.affine).index(0)
    last = (geometry.spatial_shape[across] - 1) // step[across]
    for name, probability in found.items():
        if probability is None or not anatomy_of(name).is_landmark:
            continue
        inside = probability.levels > THRESHOLD
        where = np.argwhere(inside).mean(axis=0) + probability.box.start
        levels = probability.levels[inside]
        if (levels < SURE * LEVELS).mean() > _MOST_UNSURE:
            continue
        total = float(levels.sum()) / LEVELS
        expected_dice = 2 * total / (float(probability.levels.sum()) / LEVELS + len(levels))
        weight = expected_dice * math.log1p(len(levels) * voxel_ml)
        sides = np.flatnonzero(np.any(inside, axis=tuple(axis for axis in range(3) if axis != across)))
        ends = sides[[0, -1]] + probability.box.start[across]
        yield Landmark(name, geometry.to_ras(where * step), weight, bool(ends[0] == 0 or ends[1] == last))


def _midline(landmarks: Sequence[Landmark]) -> float:
    by_name = {landmark.name: landmark for landmark in landmarks if not landmark.is_cut}
    on_it = [(mark.centre[0], mark.weight) for name, mark in by_name.items() if name in _ON_THE_MIDLINE]
    for name, mark in by_name.items():
        twin = by_name.get(anatomy_of(name).twin or "")
        if name.startswith("left ") and twin is not None:
            between = (mark.centre[0] + twin.centre[0]) / 2
            on_it.append((between, min(mark.weight, twin.weight)))
    return _weighted_median(on_it) if on_it else math.nan


_ON_THE_MIDLINE = ("vertebrae", "spinal cord", "sacrum", "brainstem", "brain")


def _weighted_median(items: Sequence[tuple[float, float]]) -> float:
    values, weights = (np.array(column, dtype=np.float64) for column in zip(*sorted(items), strict=True))
    sums = np.cumsum(weights)
    return float(values[np.searchsorted(sums, sums[-1] / 2)])


def _scatter(items: Sequence[tuple[float, float]]) -> float:
    """Return the weighted mean distance of values from their median."""
    middle = _weighted_median(items)
    return sum(weight * abs(value - middle) for value, weight in items) / sum(weight for _, weight in items)


def _raise_to(target: NDArray[np.uint8], frame: Box, source: ProbabilityBox) -> None:
    """Raise levels to those of another structure where the boxes overlap, in place."""
    common = frame.intersection(source.box)
    if 0 in common.shape:
        return
    here, there = (
        tuple(slice(a - s, b - s) for a, b, s in zip(common.start, common.stop, box.start, strict=True))
        for box in (frame, source.box)
    )
    np.maximum(target[here], source.levels[there], out=target[here])
