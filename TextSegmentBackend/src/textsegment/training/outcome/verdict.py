"""Whether a fine-tuned model is better than the one it started from, on held-out patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from textsegment.training.outcome.validation import Score

# With fewer patients, even the clearest outcome of a signed-rank test is not below 0.05.
_LEAST_PATIENTS = 6
_SURE = 0.05


@dataclass(frozen=True)
class StructureChange:
    """Mean Dice of a structure before and after; None where the model did not know it."""

    structure: str
    modality: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Verdict:
    """Comparison of two models on the same patients.

    Attributes:
        is_better: True or False; None if there are too few patients to say.
        sentence: What to tell the user.
        changes: Dice of each structure before and after, the greatest loss first.
    """

    is_better: bool | None
    sentence: str
    changes: tuple[StructureChange, ...]


def judge(before: Sequence[Score], after: Sequence[Score]) -> Verdict:
    """Compare a model with the one that it started from.

    Patients are the unit: all structures of a patient are averaged first. Structures that only one of the
    models knows do not count.

    Args:
        before: Scores of the model at the start.
        after: Scores of the trained model on the same cases.
    """
    old = {(s.case, s.structure): s for s in before}
    pairs = [(old[s.case, s.structure], s) for s in after if (s.case, s.structure) in old]
    patients = dict.fromkeys(score.patient for _, score in pairs)
    gains = [mean(b.dice - a.dice for a, b in pairs if b.patient == patient) for patient in patients]
    is_better, sentence = _judged(gains)
    return Verdict(is_better, sentence, _changes(before, after))


def _judged(gains: Sequence[float]) -> tuple[bool | None, str]:
    if not gains:
        return None, "No held-out patient shows a structure that both models know: nothing can be said."
    gain = mean(gains)
    many = f"{len(gains)} held-out patient{'s' if len(gains) > 1 else ''}"
    change = f"the mean Dice changed by {gain:+.3f} on {many}"
    if gain <= 0:
        return False, f"Not better: {change}. Keep the model that it started from."
    if len(gains) < _LEAST_PATIENTS:
        return None, f"Not known to be better: {change}, too few to say. Hold out {_LEAST_PATIENTS} or more."
    from scipy.stats import wilcoxon  # slow to import, and seldom needed

    p = float(wilcoxon(gains).pvalue)
    if p >= _SURE:
        return None, f"Not known to be better: {change}, which may be chance (p = {p:.2g})."
    return True, f"Better: {change} (p = {p:.2g})."


def _changes(before: Sequence[Score], after: Sequence[Score]) -> tuple[StructureChange, ...]:
    keys = dict.fromkeys((score.structure, score.modality) for score in (*before, *after))
    changes = [
        StructureChange(name, of, _mean(before, name, of), _mean(after, name, of)) for name, of in keys
    ]
    return tuple(sorted(changes, key=lambda each: (each.after or 0) - (each.before or 0)))


def _mean(scores: Sequence[Score], structure: str, modality: str) -> float | None:
    values = [s.dice for s in scores if (s.structure, s.modality) == (structure, modality)]
    return mean(values) if values else None
