"""Preview picture of a result: three orthogonal slices with contours, and a legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.colors import Color, distinct_colors
from textsegment.files.report.drawing import DIM, TEXT, WARNING, Place, Sheet, rgb
from textsegment.files.report.slices import VIEWS, Slice, fullest_slice
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.vocabulary.appearance import appearance_of
from textsegment.volume import Volume

DISCLAIMER = "demonstration model, not for clinical use"

# Soft-tissue window: level 40, width 400.
_CT_WINDOW_HU = (-160.0, 240.0)
_PERCENTILES = (0.5, 99.5)
_SAMPLES = 500_000
_DPI = 130
# Sizes on paper, in inches.
_PICTURES_WIDTH, _TALLEST, _SHORTEST, _GAP = 13.0, 6.0, 1.2, 0.25
_TITLE, _FOOTER, _ROW, _LEGEND_COLUMN, _SHORT_LEGEND = 0.4, 0.45, 0.24, 3.0, 2.5
_MOST_ENTRIES = 160


def write_preview(
    volume: Volume,
    segmentation: Segmentation,
    path_png: Path | str,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Draw axial, coronal and sagittal slices with the contours of all masks, and a legend with volumes.

    The display is radiological (the patient's right is on the left). All slices have the same scale, and each
    is the one that shows the most of the structures. CT is shown in a soft-tissue window.

    Args:
        volume: Scan that was segmented.
        segmentation: Masks on the grid of the volume.
        path_png: PNG file to write.
        names: Names by structure; structures not listed keep their own name.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The file cannot be written.
    """
    colors = distinct_colors([appearance_of(mask.structure).color for mask in segmentation])
    slices = [fullest_slice(volume, segmentation, view) for view in VIEWS]
    window = display_window(volume)
    layout = _layout(slices, len(segmentation))
    sheet = Sheet(layout.width, layout.height, _DPI)
    for piece, place in zip(slices, layout.panels, strict=True):
        sheet.slice(place, piece, colors, window)
    _draw_legend(sheet, layout.legend, segmentation.masks, segmentation.named(names), colors, slices)
    _draw_footer(sheet, layout, segmentation, volume, window)
    with atomic_output(path_png) as temporary:
        sheet.save(temporary)


@dataclass(frozen=True)
class _Layout:
    """Positions on paper, in inches."""

    width: float
    height: float
    panels: tuple[Place, ...]
    legend: Place


def _layout(slices: Sequence[Slice], count: int) -> _Layout:
    """Place the slices side by side, with the legend to their right or, if it is long, below them."""
    sizes = _panel_sizes(slices)
    tallest = max(height for height, _ in sizes)
    pictures = sum(width for _, width in sizes) + (len(sizes) - 1) * _GAP
    beside = count * _ROW <= max(tallest, _SHORT_LEGEND)
    columns = 1 if beside else max(1, int(pictures / _LEGEND_COLUMN))
    rows = math.ceil(min(count, _MOST_ENTRIES) / columns) * _ROW
    body = max(tallest, rows) if beside else tallest + _GAP + rows
    height = _TITLE + body + _FOOTER
    panels, left = [], _GAP
    for panel_height, panel_width in sizes:
        panels.append(Place(left, _TITLE, panel_width, panel_height))
        left += panel_width + _GAP
    if beside:
        legend = Place(left, _TITLE, _LEGEND_COLUMN, body)
        return _Layout(left + _LEGEND_COLUMN + _GAP, height, tuple(panels), legend)
    legend = Place(_GAP, _TITLE + tallest + _GAP, columns * _LEGEND_COLUMN, rows)
    return _Layout(left, height, tuple(panels), legend)


def display_window(volume: Volume) -> tuple[float, float]:
    """Return the values shown as black and white: soft tissue for CT, else most of the range of the image."""
    if volume.modality == "CT":
        return _CT_WINDOW_HU
    step = max(1, round((volume.voxels.size / _SAMPLES) ** (1 / 3)))
    sample = np.asarray(volume.voxels[::step, ::step, ::step], dtype=np.float64)
    finite = sample[np.isfinite(sample)]
    if finite.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(finite, _PERCENTILES))
    return (low, high if high > low else low + 1.0)


def _panel_sizes(slices: Sequence[Slice]) -> list[tuple[float, float]]:
    """Return (height, width) of each panel in inches, on one scale; thin slabs are stretched."""
    widths, heights = [s.size_mm[1] for s in slices], [s.size_mm[0] for s in slices]
    scale = min(_PICTURES_WIDTH / sum(widths), _TALLEST / max(heights))
    return [
        (max(h * scale, _SHORTEST), max(w * scale, _SHORTEST)) for h, w in zip(heights, widths, strict=True)
    ]


def _draw_legend(
    sheet: Sheet,
    place: Place,
    masks: Sequence[StructureMask],
    names: Sequence[str],
    colors: Sequence[Color],
    slices: Sequence[Slice],
) -> None:
    shown = masks[:_MOST_ENTRIES]
    columns = max(1, int(place.width / _LEGEND_COLUMN + 1e-6))
    per_column = max(1, math.ceil(len(shown) / columns))
    for number, mask in enumerate(shown):
        x = place.left + number // per_column * _LEGEND_COLUMN
        y = place.top + (number % per_column + 0.5) * _ROW
        visible = any(piece.masks[number] is not None for piece in slices)
        _draw_entry(sheet, names[number], mask.statistics, colors[number], (x, y), visible=visible)
    hidden = len(masks) - len(shown)
    if hidden:
        sheet.text(place.left + 0.05, place.top + place.height + _ROW / 2, f"and {hidden} more", color=DIM)


def _draw_entry(
    sheet: Sheet,
    name: str,
    statistics: MaskStatistics,
    color: Color,
    at: tuple[float, float],
    *,
    visible: bool,
) -> None:
    x, y = at
    empty = statistics.is_empty
    swatch = Place(x + 0.05, y - 0.07, 0.16, 0.14)
    sheet.rectangle(swatch, fill=None if empty else color, outline=rgb(DIM) if empty else color)
    shade = TEXT if visible else DIM
    sheet.text(x + 0.32, y, name if len(name) <= 27 else name[:26] + "...", color=shade)
    amount = "not found" if empty else _millilitres(statistics.volume_ml)
    sheet.text(x + _LEGEND_COLUMN - 0.15, y, amount, color=shade, anchor="rm")


def _millilitres(volume_ml: float) -> str:
    return f"{volume_ml:,.0f} ml" if volume_ml >= 10 else f"{volume_ml:.2g} ml"


def _draw_footer(
    sheet: Sheet, layout: _Layout, segmentation: Segmentation, volume: Volume, window: tuple[float, float]
) -> None:
    model = str(segmentation.provenance.get("model", ""))
    unit = " HU" if volume.modality == "CT" else ""
    facts = [model, volume.modality, f"window {window[0]:.4g} to {window[1]:.4g}{unit}"]
    y = layout.height - _FOOTER / 2
    sheet.text(_GAP, y, "  ·  ".join(filter(None, facts)), color=DIM)
    if model == "sat-demo":
        sheet.text(layout.width - _GAP, y, DISCLAIMER, size=11, color=WARNING, anchor="rm")
