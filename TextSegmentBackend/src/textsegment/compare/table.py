"""Measures as the cells of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable

from textsegment.compare.comparison import Comparison
from textsegment.compare.metrics import Measures

COLUMNS = (
    "Dice",
    "Surface Dice",
    "within, mm",
    "HD95, mm",
    "Mean, mm",
    "Added path, mm",
    "Result, ml",
    "Reference, ml",
)
"""Headings of ``cells``."""


def cells(measures: Measures) -> tuple[str, ...]:
    """Return measures as text, in the order of ``COLUMNS``; a dash stands for what is not defined."""
    return (
        f"{measures.dice:.3f}",
        f"{measures.surface_dice:.3f}",
        f"{measures.tolerance_mm:g}",
        _number(measures.hd95_mm, 1),
        _number(measures.mean_surface_distance_mm, 2),
        f"{measures.added_path_length_mm:.0f}",
        f"{measures.result_ml:.4g}",
        f"{measures.reference_ml:.4g}",
    )


def lines(comparison: Comparison) -> Iterable[str]:
    """Yield a comparison as lines of text for a terminal."""
    rows: list[tuple[str, ...]] = [("Structure", *COLUMNS)]
    rows += [(found.reference.structure, *cells(found.measures)) for found in comparison.structures]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        right = "  ".join(number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield f"{name.ljust(widths[0])}  {right}"
    matching = comparison.matching
    for title, names in (
        ("Missing in the result", matching.missing),
        ("Only in the result", matching.extra),
        ("Unclear", matching.unclear),
    ):
        if names:
            yield f"{title}: {', '.join(names)}"


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
