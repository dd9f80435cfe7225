"""Two models side by side on the same cases, with a paired test."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from textsegment.errors import InputError
from textsegment.evaluation.score import Score

# With fewer patients, even the clearest outcome of a signed-rank test is not below 0.05.
_LEAST_PATIENTS = 6
_BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Difference:
    """Difference of one model from another over the same cases.

    Patients are the unit: all scores of a patient are averaged first, since they are not independent.

    Attributes:
        of: ``dice`` or ``surface_dice``.
        mean: Mean over the patients of the first model minus the second.
        low: Lower end of the 95 % confidence interval of the mean (bootstrap over patients).
        high: Upper end of it.
        p: Two-sided p-value of the Wilcoxon signed-rank test; None with fewer than six patients. For single
            structures it is adjusted for their number (Holm).
        patients: Number of patients.
        pairs: Number of pairs of scores.
    """

    of: str
    mean: float
    low: float
    high: float
    p: float | None
    patients: int
    pairs: int

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON-compatible values."""
        return {
            key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class PairedComparison:
    """Comparison of two models.

    Attributes:
        overall: Differences over all structures, in Dice and surface Dice.
        by_structure: Differences in Dice keyed by (modality, structure).
        first: Scores of the first model that have a counterpart.
        second: Their counterparts, in the same order.
        unpaired: Number of scores without counterpart in either.
    """

    overall: tuple[Difference, Difference]
    by_structure: dict[tuple[str, str], Difference]
    first: tuple[Score, ...]
    second: tuple[Score, ...]
    unpaired: int

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-compatible values."""
        return {
            "overall": [difference.to_json() for difference in self.overall],
            "structures": [
                {"modality": modality, "structure": structure, **difference.to_json()}
                for (modality, structure), difference in self.by_structure.items()
            ],
            "unpaired": self.unpaired,
        }


def compare_models(first: Iterable[Score], second: Iterable[Score]) -> PairedComparison:
    """Compare the scores of two models on the cases and structures that both have.

    Raises:
        InputError: They have none in common, or were scored with different tolerances.
    """
    ours, theirs = ({(s.sample_id, s.modality, s.structure): s for s in each} for each in (first, second))
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise InputError("The two evaluations have no case and structure in common.", "Evaluate one set.")
    pairs = [(ours[key], theirs[key]) for key in common]
    if any(a.measures.tolerance_mm != b.measures.tolerance_mm for a, b in pairs):
        raise InputError("The two evaluations have different tolerances.", "Evaluate with the same one.")
    by_structure = defaultdict(list)
    for a, b in pairs:
        by_structure[(a.modality, a.structure)].append((a, b))
    single = {key: _difference(found, "dice") for key, found in sorted(by_structure.items())}
    return PairedComparison(
        (_difference(pairs, "dice"), _difference(pairs, "surface_dice")),
        _holm(single),
        tuple(a for a, _ in pairs),
        tuple(b for _, b in pairs),
        len(ours.keys() ^ theirs.keys()),
    )


def _difference(pairs: Sequence[tuple[Score, Score]], of: str) -> Difference:
    by_patient: dict[tuple[str, str], list[float]] = defaultdict(list)
    for a, b in pairs:
        by_patient[(a.dataset, a.patient_id)].append(getattr(a.measures, of) - getattr(b.measures, of))
    means = np.array([math.fsum(values) / len(values) for _, values in sorted(by_patient.items())])
    # A fixed seed: the same scores give the same interval.
    drawn = np.random.default_rng(0).integers(0, len(means), (_BOOTSTRAPS, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), (2.5, 97.5))
    return Difference(
        of, float(means.mean()), float(low), float(high), _p_value(means), len(means), len(pairs)
    )


def _p_value(differences: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    if len(differences) < _LEAST_PATIENTS:
        return None
    if not differences.any():
        return 1.0
    from scipy.stats import wilcoxon  # slow to import, and seldom needed

    # Differences of zero take part, half on each side, so that agreement counts against a difference.
    return float(wilcoxon(differences, zero_method="zsplit").pvalue)


def _holm(differences: dict[tuple[str, str], Difference]) -> dict[tuple[str, str], Difference]:
    """Adjust the p-values for the number of tests, step by step from the smallest (Holm)."""
    tested = sorted((d.p, key) for key, d in differences.items() if d.p is not None)
    adjusted, highest = dict(differences), 0.0
    for rank, (p, key) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        adjusted[key] = Difference(**{**asdict(differences[key]), "p": highest})
    return adjusted
