"""Means of scores, as in the paper: by data set, by structure and modality, by region, lesions apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from textsegment.evaluation.score import Score
from textsegment.vocabulary.structures import find_structure

LESIONS, OTHER = "lesions", "other"
"""Group of all lesions, whatever their region, and of structures that are not in the vocabulary."""

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Mean:
    """Mean of some scores, or of other means.

    Attributes:
        dice: Mean Dice coefficient.
        surface_dice: Mean surface Dice.
        hd95_mm: Mean HD95 in millimetres where it is defined, NaN if nowhere.
        count: Number of scores or means it is the mean of.
        hd95_count: Number of those that have an HD95.
    """

    dice: float
    surface_dice: float
    hd95_mm: float
    count: int
    hd95_count: int

    @classmethod
    def of_scores(cls, scores: Sequence[Score]) -> Mean:
        """Return the mean of at least one score."""
        measures = [score.measures for score in scores]
        return cls._of([(each.dice, each.surface_dice, each.hd95_mm) for each in measures])

    @classmethod
    def of_means(cls, means: Iterable[Mean]) -> Mean:
        """Return the mean of at least one mean, each of which counts once."""
        return cls._of([(each.dice, each.surface_dice, each.hd95_mm) for each in means])

    @classmethod
    def _of(cls, rows: Sequence[tuple[float, float, float]]) -> Mean:
        dice, surface_dice, distances = zip(*rows, strict=True)
        defined = [distance for distance in distances if not math.isnan(distance)]
        return cls(
            math.fsum(dice) / len(rows),
            math.fsum(surface_dice) / len(rows),
            math.fsum(defined) / len(defined) if defined else math.nan,
            len(rows),
            len(defined),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the mean as JSON-compatible values."""
        return {
            "dice": round(self.dice, 6),
            "surface_dice": round(self.surface_dice, 6),
            "hd95_mm": None if math.isnan(self.hd95_mm) else round(self.hd95_mm, 4),
            "count": self.count,
            "hd95_count": self.hd95_count,
        }


@dataclass(frozen=True)
class Means:
    """All means of an evaluation.

    Attributes:
        by_label: Mean over the cases of one data set, keyed by (data set, modality, structure).
        by_dataset: Mean over the labels of a data set.
        by_structure: Mean over all cases of all data sets, keyed by (modality, structure).
        by_region: Mean over the structures of a region, without lesions, which have an entry of their own.
        overall: Mean over all structures and modalities; None without scores.
        present: The same over the cases that show the structure, without those in which it is absent; None if
            nothing is shown.
    """

    by_label: dict[tuple[str, str, str], Mean]
    by_dataset: dict[str, Mean]
    by_structure: dict[tuple[str, str], Mean]
    by_region: dict[str, Mean]
    overall: Mean | None
    present: Mean | None

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Means:
        """Compute all means of some scores."""
        by_label = {
            key: Mean.of_scores(found)
            for key, found in _grouped(scores, lambda s: (s.dataset, s.modality, s.structure)).items()
        }
        by_structure = {
            key: Mean.of_scores(found)
            for key, found in _grouped(scores, lambda s: (s.modality, s.structure)).items()
        }
        labels = _grouped(by_label, lambda key: key[0])
        regions = _grouped(by_structure, lambda key: group_of(*key))
        return cls(
            by_label,
            {name: Mean.of_means(by_label[key] for key in keys) for name, keys in labels.items()},
            by_structure,
            {name: Mean.of_means(by_structure[key] for key in keys) for name, keys in regions.items()},
            Mean.of_means(by_structure.values()) if by_structure else None,
            _mean_of_present(scores),
        )

    def to_json(self) -> dict[str, Any]:
        """Return all means as JSON-compatible values."""
        return {
            "overall": self.overall and self.overall.to_json(),
            "present": self.present and self.present.to_json(),
            "regions": {name: mean.to_json() for name, mean in self.by_region.items()},
            "data_sets": {name: mean.to_json() for name, mean in self.by_dataset.items()},
            "structures": [
                {"modality": modality, "structure": structure, **mean.to_json()}
                for (modality, structure), mean in self.by_structure.items()
            ],
            "labels": [
                {"data_set": name, "modality": modality, "structure": structure, **mean.to_json()}
                for (name, modality, structure), mean in self.by_label.items()
            ],
        }


def _mean_of_present(scores: Sequence[Score]) -> Mean | None:
    shown = _grouped((s for s in scores if not s.truth_is_empty), lambda s: (s.modality, s.structure))
    return Mean.of_means(Mean.of_scores(found) for found in shown.values()) if shown else None


def group_of(modality: str, structure: str) -> str:
    """Return the region under which a structure is averaged in a modality, or ``lesions`` or ``other``.

    >>> group_of("CT", "liver"), group_of("CT", "liver tumor")
    ('abdomen', 'lesions')
    """
    found = find_structure(structure)
    if found is None:
        return OTHER
    if found.kind == "lesion":
        return LESIONS
    return dict(zip(found.modalities, found.regions, strict=True)).get(modality, OTHER)


def _grouped(items: Iterable[Any], key: Callable[[Any], _Key]) -> dict[_Key, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(sorted(groups.items()))
