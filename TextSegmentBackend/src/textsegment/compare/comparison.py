"""Comparison of two segmentations, structure by structure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution, about
from textsegment.compare.alignment import Aligned, Fit, align
from textsegment.compare.matching import Matching, match
from textsegment.compare.metrics import DEFAULT_TOLERANCE_MM, Measures, measure, require_tolerance
from textsegment.errors import InputError, SettingsError
from textsegment.geometry import Box
from textsegment.segmentation import Segmentation, StructureMask


@dataclass(frozen=True)
class Tolerances:
    """Tolerances of the surface Dice in millimetres.

    Attributes:
        default_mm: Tolerance of all structures that have none of their own.
        by_name: Tolerances by name, in the result or the reference.
    """

    default_mm: float = DEFAULT_TOLERANCE_MM
    by_name: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Tolerances:
        """Read tolerances as typed: ``2`` for all structures, ``spinal cord=1`` for one of them.

        Raises:
            SettingsError: A text is not a tolerance, or is negative.

        Example:
            >>> Tolerances.parse(["2", "spinal cord=1"]).of("spinal cord")
            1.0
        """
        default, by_name = DEFAULT_TOLERANCE_MM, {}
        for text in texts:
            name, _, number = text.rpartition("=")
            try:
                value = float(number)
            except ValueError:
                value = math.nan
            require_tolerance(value)
            if name:
                by_name[name.strip()] = value
            else:
                default = value
        return cls(default, by_name)

    def of(self, *names: str) -> float:
        """Return the tolerance of a structure with these names, in millimetres."""
        return next((self.by_name[name] for name in names if name in self.by_name), self.default_mm)

    def require_known(self, names: Iterable[str]) -> None:
        """Check that every name that has a tolerance occurs.

        Raises:
            SettingsError: A name does not occur.
        """
        unknown = self.by_name.keys() - set(names)
        if unknown:
            raise SettingsError(
                f"There is a tolerance for {min(unknown)!r}, but no such structure.",
                "Check the names of --tolerance.",
            )


@dataclass(frozen=True, eq=False)
class StructureComparison:
    """Comparison of one structure.

    Attributes:
        result: Mask of the result.
        reference: Mask of the reference.
        measures: Agreement of the two.
    """

    result: StructureMask
    reference: StructureMask
    measures: Measures

    def to_json(self) -> dict[str, Any]:
        """Return names and measures as JSON-compatible values; what is not defined is None."""
        measures = {
            key: None if math.isnan(value) else round(value, 6)
            for key, value in asdict(self.measures).items()
        }
        return {"structure": self.reference.structure, "result_name": self.result.structure, **measures}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of a result with a reference.

    Attributes:
        structures: Comparisons of the structures that both have, in the order of the reference.
        matching: Names that were matched, and those that were not.
        aligned: The two on one grid.
        warnings: Messages for the user.
    """

    structures: tuple[StructureComparison, ...]
    matching: Matching
    aligned: Aligned
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-compatible values."""
        return {
            "structures": [structure.to_json() for structure in self.structures],
            "mean_dice": _mean(s.measures.dice for s in self.structures),
            "mean_surface_dice": _mean(s.measures.surface_dice for s in self.structures),
            "missing": list(self.matching.missing),
            "extra": list(self.matching.extra),
            "unclear": list(self.matching.unclear),
            "grid": self.aligned.fit.value,
            "warnings": list(self.warnings),
            "codes": [getattr(warning, "code", "said") for warning in self.warnings],
        }


def compare(
    result: Segmentation,
    reference: Segmentation,
    *,
    tolerances: Tolerances | None = None,
    pairs: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare a result with a reference on the voxels of the reference.

    Args:
        result: Segmentation to judge.
        reference: Segmentation to judge it by.
        tolerances: Tolerances of the surface Dice; by default 1 mm.
        pairs: Names in the result and the names in the reference that they stand for, where they would not be
            matched by themselves.

    Raises:
        GeometryError: The two have no place in common.
        InputError: They have no structure in common.
        SettingsError: A tolerance or pair names a structure that does not occur.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> result = FakeSegmenter().segment(phantom(), ["liver", "spleen"])
        >>> [found.measures.dice for found in compare(result, result).structures]
        [1.0, 1.0]
    """
    tolerances = tolerances or Tolerances()
    ours, theirs = ([mask.structure for mask in each] for each in (result, reference))
    tolerances.require_known([*ours, *theirs])
    matching = match(ours, theirs, pairs)
    if not matching.pairs:
        raise InputError(
            "The two have no structure in common, by name or meaning.",
            "Say which is which: --pair 'name in the result=name in the reference'.",
        )
    aligned = align(result, reference)
    structures = []
    for our_name, their_name in matching.pairs:
        one, other = aligned.result[our_name], aligned.reference[their_name]
        structures.append(
            StructureComparison(
                one, other, _measure(one, other, aligned, tolerances.of(their_name, our_name))
            )
        )
    cautions = (
        *([Caution("result_resampled")] if aligned.fit is Fit.RESAMPLED else []),
        *([Caution("names_unclear", names=", ".join(matching.unclear))] if matching.unclear else []),
    )
    both = (result, reference)
    said = [warning for each in both for warning in each.warnings]
    said += [about(mask.structure, warning) for each in both for mask in each for warning in mask.warnings]
    return Comparison(tuple(structures), matching, aligned, (*cautions, *dict.fromkeys(said)))


def _measure(one: StructureMask, other: StructureMask, aligned: Aligned, tolerance_mm: float) -> Measures:
    """Measure two masks within the box around both, so that whole grids are never filled."""
    box = box_around(one, other)
    geometry = aligned.reference.geometry.cropped(box)
    return measure(part_of(one, box), part_of(other, box), geometry, tolerance_mm=tolerance_mm)


def box_around(*masks: StructureMask) -> Box:
    """Return the smallest box that contains all masks; one voxel if all are empty."""
    boxes = [mask.box for mask in masks if not mask.statistics.is_empty] or [Box((0, 0, 0), (1, 1, 1))]
    i, j, k = (min(values) for values in zip(*(box.start for box in boxes), strict=True))
    p, q, r = (max(values) for values in zip(*(box.stop for box in boxes), strict=True))
    return Box((i, j, k), (p, q, r))


def part_of(mask: StructureMask, box: Box) -> NDArray[np.bool_]:
    """Return the part of the grid in a box that contains a mask, as a boolean array ``[i, j, k]``."""
    part = np.zeros(box.shape, dtype=bool)
    i, j, k = (a - b for a, b in zip(mask.box.start, box.start, strict=True))
    p, q, r = mask.mask.shape
    if not mask.statistics.is_empty:
        part[i : i + p, j : j + q, k : k + r] = mask.mask
    return part


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return round(sum(found) / len(found), 6)
