"""Outputs of an evaluation: a table of all scores, a summary, and a page."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from textsegment.evaluation.means import Mean, Means
from textsegment.evaluation.paired import Difference, PairedComparison
from textsegment.evaluation.run import EvaluationSettings
from textsegment.evaluation.score import Score
from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.style import STYLE
from textsegment.files.report.summary import write_json

TABLE_FILE, SUMMARY_FILE, PAGE_FILE = "scores.csv", "summary.json", "evaluation.html"
_WORST = 20
_HEADS = ("Dice", "Surface Dice", "HD95, mm", "Number")


def write_evaluation(
    folder: Path,
    settings: EvaluationSettings,
    scores: Sequence[Score],
    *,
    failed: Mapping[str, str],
    other: tuple[EvaluationSettings, PairedComparison] | None = None,
) -> dict[str, Any]:
    """Write ``scores.csv``, ``summary.json`` and ``evaluation.html``, and return the summary.

    Equal scores give equal files.

    Args:
        folder: Folder of the evaluation.
        settings: Settings of the evaluation.
        scores: All scores, in the order of the set.
        failed: Codes of the errors of cases that could not be evaluated, by name.
        other: Settings of another evaluation, and the comparison with it; None if there is none.

    Raises:
        DiskFullError: The disk is full.
        OutputError: A file cannot be written.
    """
    means = Means.of(scores)
    summary = {
        "settings": asdict(settings),
        "cases": len({score.sample_id for score in scores}),
        "patients": len({(score.dataset, score.patient_id) for score in scores}),
        "failed": dict(failed),
        **means.to_json(),
        "compared_with": other and {"settings": asdict(other[0]), **other[1].to_json()},
    }
    _write_table(scores, folder / TABLE_FILE)
    write_json(summary, folder / SUMMARY_FILE)
    with atomic_output(folder / PAGE_FILE) as temporary:
        temporary.write_text(_page(settings, scores, means, summary, other), encoding="utf-8")
    return summary


def _write_table(scores: Sequence[Score], path: Path) -> None:
    rows = [score.to_json() for score in scores]
    with atomic_output(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["sample_id"])
        writer.writeheader()
        writer.writerows(rows)


def _page(
    settings: EvaluationSettings,
    scores: Sequence[Score],
    means: Means,
    summary: Mapping[str, Any],
    other: tuple[EvaluationSettings, PairedComparison] | None,
) -> str:
    sections = [
        _head(settings, summary),
        _sentences("Could not be evaluated", (f"{name}: {code}" for name, code in summary["failed"].items())),
        _compared(*other) if other else "",
        _means("All structures", _overall(means)),
        _means("Regions", means.by_region),
        _means("Data sets", means.by_dataset),
        _means("Structures", {f"{name} ({code})": mean for (code, name), mean in means.by_structure.items()}),
        _worst(scores),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{''.join(sections)}</body></html>\n"
    )


def _head(settings: EvaluationSettings, summary: Mapping[str, Any]) -> str:
    own = ", ".join(f"{name} {mm:g} mm" for name, mm in settings.tolerances_mm.items())
    facts = {
        "Model": settings.model,
        "Weights (SHA-256)": settings.weights_sha256,
        "Set": f"{settings.set_name}, {settings.split}",
        "Cases": f"{summary['cases']} of {summary['patients']} patients",
        "Tolerance of the surface Dice": f"{settings.tolerance_mm:g} mm" + (f"; {own}" if own else ""),
        "Grid": "that of each scan",
        "Empty truth": "1 if the answer is empty, else 0; no HD95",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    return f"<header><h1>Evaluation</h1><dl>{rows}</dl></header>\n"


def _overall(means: Means) -> dict[str, Mean]:
    rows = {"Mean of all structures": means.overall, "Where they are present": means.present}
    return {name: mean for name, mean in rows.items() if mean is not None}


def _means(title: str, means: Mapping[str, Mean]) -> str:
    rows = (
        (name, _number(m.dice), _number(m.surface_dice), _number(m.hd95_mm, 1), str(m.count))
        for name, m in means.items()
    )
    return _table(title, ("", *_HEADS), rows)


def _worst(scores: Sequence[Score]) -> str:
    worst = sorted(scores, key=lambda score: (score.measures.dice, score.sample_id, score.structure))[:_WORST]
    rows = (
        (
            f"{score.structure} ({score.modality})",
            score.sample_id,
            _number(score.measures.dice),
            _number(score.measures.hd95_mm, 1),
            f"{score.measures.result_ml:.3g}",
            f"{score.measures.reference_ml:.3g}",
        )
        for score in worst
    )
    return _table("Worst", ("", "Case", "Dice", "HD95, mm", "Result, ml", "Truth, ml"), rows)


def _compared(settings: EvaluationSettings, found: PairedComparison) -> str:
    ours, theirs = Means.of(found.first), Means.of(found.second)
    rows = [_side_by_side("All structures", ours.overall, theirs.overall, found.overall[0])]
    rows += [
        _side_by_side(f"{key[1]} ({key[0]})", ours.by_structure[key], theirs.by_structure[key], difference)
        for key, difference in found.by_structure.items()
    ]
    title = f"Compared with {settings.model} ({settings.weights_sha256[:12]})"
    notes = (
        f"Difference in Dice by patients, on what both were scored on: {len(found.first)} pairs; "
        f"{found.unpaired} scores have no counterpart. Intervals: 95 %, bootstrap. p: Wilcoxon's signed-rank "
        "test, two-sided, for single structures adjusted by Holm; none with fewer than six patients."
    )
    heads = ("", "Dice", "Other", "Difference", "95 % interval", "p", "Patients")
    return _table(title, heads, rows) + f"<p>{escape(notes)}</p>\n"


def _side_by_side(
    name: str, ours: Mean | None, theirs: Mean | None, difference: Difference
) -> tuple[str, ...]:
    return (
        name,
        _number(ours.dice if ours else math.nan),
        _number(theirs.dice if theirs else math.nan),
        f"{difference.mean:+.3f}",
        f"{difference.low:+.3f} … {difference.high:+.3f}",
        "–" if difference.p is None else f"{difference.p:.3g}",
        str(difference.patients),
    )


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(
        f"<tr><td><strong>{escape(row[0])}</strong></td>"
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    head = f"<th>{heads[0]}</th>" + "".join(f'<th class="number">{name}</th>' for name in heads[1:])
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n"


def _sentences(title: str, sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<section><h2>{title}</h2><ul>{items}</ul></section>\n" if items else ""


def _number(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
