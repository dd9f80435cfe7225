"""The final page of a run: curves, held-out patients, and the worst cases. One HTML file without scripts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from statistics import mean

from textsegment.files.atomic import atomic_output
from textsegment.files.report.style import STYLE
from textsegment.training.log import STEPS, VALIDATION, read_rows
from textsegment.training.settings import TrainingSettings

PAGE = "training.html"
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 180, 50, 20
_MOST_POINTS, _MOST_CASES = 400, 20

Point = tuple[float, float]


def write_page(folder: Path, model: str, settings: TrainingSettings) -> Path:
    """Write the page of a run from its log, and return its path."""
    steps, scores = read_rows(folder / STEPS), read_rows(folder / VALIDATION)
    rounds: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in scores:
        rounds[int(row["step"])].append(row)
    sections = [
        f"<h1>Training of {escape(model)}</h1>",
        _curve("Loss of the training patches", [(float(r["step"]), float(r["loss"])) for r in steps]),
        _curve("Dice of the training patches", [(float(r["step"]), float(r["dice"])) for r in steps]),
        _curve(
            "Dice of held-out patients", [(float(s), _mean_of_structures(rows)) for s, rows in rounds.items()]
        ),
    ]
    if rounds:
        best = max(rounds, key=lambda step: _mean_of_structures(rounds[step]))
        sections += [
            f"<h2>Held-out patients at step {best}: Dice {_mean_of_structures(rounds[best]):.3f}</h2>",
            _table(("structure", "modality", "cases", "mean Dice"), _by_structure(rounds[best])),
            "<h2>Worst cases</h2>",
            _table(
                ("case", "structure", "Dice"),
                [
                    (row["case"], row["structure"], row["dice"])
                    for row in sorted(rounds[best], key=lambda row: float(row["dice"]))[:_MOST_CASES]
                ],
            ),
        ]
    sections += ["<h2>Settings</h2>", _table(("setting", "value"), asdict(settings).items())]
    path = folder / PAGE
    with atomic_output(path) as temporary:
        temporary.write_text(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Training</title>'
            f"<style>{STYLE}</style></head>\n<body>\n{''.join(sections)}</body></html>\n",
            encoding="utf-8",
        )
    return path


def _groups(rows: Iterable[dict[str, str]]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        found[row["structure"], row["modality"]].append(float(row["dice"]))
    return found


def _mean_of_structures(rows: Iterable[dict[str, str]]) -> float:
    return mean(mean(values) for values in _groups(rows).values())


def _by_structure(rows: Iterable[dict[str, str]]) -> list[tuple[str, str, int, str]]:
    groups = sorted(_groups(rows).items(), key=lambda item: mean(item[1]))
    return [(name, modality, len(values), f"{mean(values):.3f}") for (name, modality), values in groups]


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
