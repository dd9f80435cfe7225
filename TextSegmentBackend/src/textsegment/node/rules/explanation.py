"""Explanation of what a node would do with real series, without doing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textsegment.errors import TextSegmentError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom.series import Series, list_series
from textsegment.node.intake import MODALITIES
from textsegment.node.plan import plan_of
from textsegment.node.rules.decision import Decision
from textsegment.node.rules.facts import SeriesFacts, read_facts
from textsegment.node.rules.rule import Rule
from textsegment.node.rules.rule_set import RuleSet
from textsegment.vocabulary.structures import known_in


@dataclass(frozen=True)
class Explanation:
    """What a node would do with a series.

    Attributes:
        label: Number, modality and size of the series.
        decision: Decision by the rules.
        lines: What would follow, as sentences.
    """

    label: str
    decision: Decision
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON."""
        return {
            "series": self.label,
            "rule": None if self.decision.rule is None else self.decision.rule.name,
            "trials": [
                {
                    "rule": trial.rule.name,
                    "matches": trial.matches,
                    "checks": [
                        {"name": c.name, "value": c.value, "wanted": c.wanted, "holds": c.holds}
                        for c in trial.checks
                    ],
                }
                for trial in self.decision.trials
            ],
            "then": list(self.lines),
        }


def explain(rules: RuleSet, where: Path, *, sender: str = "") -> tuple[Explanation, ...]:
    """Explain what would happen to each series in a folder.

    Structures are those of the published models; what another model lacks is said when it runs.

    Args:
        rules: Rules.
        where: Folder with DICOM images, or one image of a series.
        sender: AE title that the images would come from.

    Raises:
        InputError: There are no images, or they cannot be read.
    """
    there = list_series(where)
    facts = [read_facts(s.headers[0].path, images=len(s.headers), sender=sender) for s in there]
    decisions = [rules.decide(each) for each in facts]
    chosen = _chosen(decisions, facts)
    return tuple(
        Explanation(str(series), decision, _then(series, decision.rule, index in chosen))
        for index, (series, decision) in enumerate(zip(there, decisions, strict=True))
    )


def _chosen(decisions: Sequence[Decision], facts: Sequence[SeriesFacts]) -> set[int]:
    """Return the indices of the series that would be segmented."""
    found: set[int] = set()
    for rule in {
        decision.rule.name: decision.rule for decision in decisions if decision.rule is not None
    }.values():
        group = [index for index, decision in enumerate(decisions) if decision.rule is rule]
        if rule.choose is None:
            found |= set(group)
        else:
            found.add(group[rule.choose.best([facts[index] for index in group])])
    return found


def _then(series: Series, rule: Rule | None, is_chosen: bool) -> tuple[str, ...]:
    if rule is None:
        return ()
    if not is_chosen:
        return ("Another series of the study would be chosen.",)
    if series.modality not in MODALITIES:
        return (f"The node takes no images of the modality {series.modality}.",)
    lines = []
    try:
        scan = read_dicom([header.path for header in series.headers])
        assert scan.source is not None
        scan.source.require_referable()
        lines += [f"Warning: {warning}" for warning in scan.volume.warnings]
        if len(scan.source.planes) != scan.volume.geometry.spatial_shape[2] and not rule.allow_gaps:
            lines.append("It would fail: slices are missing, or unevenly spaced. [series_incomplete]")
        plan, notes = plan_of(rule, series.modality, known_in(series.modality))
    except TextSegmentError as error:
        return (*lines, f"It would fail: {error.message} {error.hint} [{error.code}]")
    lines.append(f"Structures: {', '.join(plan.written_names)}.")
    lines += [f"{reason}: {', '.join(names)}." for reason, names in plan.missing.items()]
    lines += notes
    doubled = [name for name, count in Counter(plan.written_names).items() if count > 1]
    if doubled:
        lines.append(f"Names that are used twice: {', '.join(doubled)}.")
    where = ", ".join(rule.destinations) or "nowhere: they stay in the spool"
    return (*lines, f"Objects: {', '.join(rule.outputs)}. Delivered to {where}.")
