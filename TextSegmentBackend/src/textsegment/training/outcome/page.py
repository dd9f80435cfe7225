"""The final page of a run: curves, held-out patients, and the worst cases. One HTML file without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.style import STYLE
from textsegment.training.loop.log import STEPS, read_rows, read_scores
from textsegment.training.outcome.validation import Score, by_structure, mean_dice
from textsegment.training.outcome.verdict import Verdict, judge
from textsegment.training.settings import TrainingSettings

PAGE = "training.html"
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 180, 50, 20
_MOST_POINTS, _MOST_CASES = 400, 20

Point = tuple[float, float]


def write_page(folder: Path, model: str, settings: TrainingSettings) -> Verdict | None:
    """Write the page of a run from its log.

    Returns:
        Comparison with the model that the run started from; None if that was not validated.
    """
    steps, rounds = read_rows(folder / STEPS), read_scores(folder)
    best = max(rounds, key=lambda step: mean_dice(rounds[step]), default=0)
    verdict = judge(rounds[0], rounds[best]) if 0 in rounds and len(rounds) > 1 else None
    sections = [
        f"<h1>Training of {escape(model)}</h1>",
        _before_and_after(verdict) if verdict else "",
        _curve("Loss of the training patches", [(float(r["step"]), float(r["loss"])) for r in steps]),
        _curve("Dice of the training patches", [(float(r["step"]), float(r["dice"])) for r in steps]),
        _curve("Dice of held-out patients", [(float(s), mean_dice(scores)) for s, scores in rounds.items()]),
        _held_out(best, rounds[best]) if rounds else "",
        "<h2>Settings</h2>",
        _table(("setting", "value"), asdict(settings).items()),
    ]
    with atomic_output(folder / PAGE) as temporary:
        temporary.write_text(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Training</title>'
            f"<style>{STYLE}</style></head>\n<body>\n{''.join(sections)}</body></html>\n",
            encoding="utf-8",
        )
    return verdict


def _before_and_after(verdict: Verdict) -> str:
    rows = [
        (each.structure, each.modality, _shown(each.before), _shown(each.after)) for each in verdict.changes
    ]
    title = f'<p class="banner">{escape(verdict.sentence)}</p>'
    return title + _table(("structure", "modality", "before", "after"), rows)


def _shown(dice: float | None) -> str:
    return "–" if dice is None else f"{dice:.3f}"


def _held_out(step: int, scores: Sequence[Score]) -> str:
    structures = sorted(by_structure(scores).items(), key=lambda item: item[1])
    worst = sorted(scores, key=lambda score: score.dice)[:_MOST_CASES]
    return "".join(
        (
            f"<h2>Held-out patients at step {step}: Dice {mean_dice(scores):.3f}</h2>",
            _table(
                ("structure", "modality", "Dice"), [(name, of, f"{d:.3f}") for (name, of), d in structures]
            ),
            "<h2>Worst cases</h2>",
            _table(("case", "structure", "Dice"), [(s.case, s.structure, f"{s.dice:.3f}") for s in worst]),
        )
    )


def _curve(title: str, points: Sequence[Point]) -> str:
    """Draw a curve as an SVG picture; nothing for fewer than two points."""
    if len(points) < 2:
        return ""
    points = points[:: max(1, len(points) // _MOST_POINTS)]
    low, high = min(y for _, y in points), max(y for _, y in points)
    first, last = points[0][0], points[-1][0]
    height = (high - low) or 1.0

    def place(point: Point) -> str:
        x = _LEFT + (point[0] - first) / ((last - first) or 1.0) * (_WIDTH - _LEFT - 10)
        y = 10 + (high - point[1]) / height * (_HEIGHT - _BOTTOM - 20)
        return f"{x:.1f},{y:.1f}"

    line = " ".join(map(place, points))
    labels = "".join(
        f'<text x="{x}" y="{y}" font-size="10" fill="#5a636c" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (_LEFT - 6, 14, "end", f"{high:.3g}"),
            (_LEFT - 6, _HEIGHT - _BOTTOM - 8, "end", f"{low:.3g}"),
            (_LEFT, _HEIGHT - 4, "start", f"step {first:g}"),
            (_WIDTH - 10, _HEIGHT - 4, "end", f"step {last:g}"),
        )
    )
    return (
        f'<section><h2>{escape(title)}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{labels}<polyline points="{line}" fill="none" stroke="#1f6fb2" '
        'stroke-width="1.5"/></svg></section>\n'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>\n{lines}</table>\n"
