"""A picture of a result: three orthogonal slices with contours, and a legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from textsegment.files.atomic import atomic_output
from textsegment.files.report.colors import Color, distinct_colors
from textsegment.files.report.slices import VIEWS, Slice, fullest_slice
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.vocabulary.appearance import appearance_of
from textsegment.volume import Volume

DISCLAIMER = "demonstration model, not for clinical use"

# Soft tissue: level 40, width 400.
_CT_WINDOW_HU = (-160.0, 240.0)
_PERCENTILES = (0.5, 99.5)
_SAMPLES = 500_000
BACKGROUND, _TEXT, _DIM, _WARNING = "#101418", "#e8eaed", "#8a9099", "#ffb347"
_DPI = 130
# Sizes on paper, inches.
_PICTURES_WIDTH, _TALLEST, _SHORTEST, _GAP = 13.0, 6.0, 1.2, 0.25
_TITLE, _FOOTER, _ROW, _LEGEND_COLUMN, _SHORT_LEGEND = 0.4, 0.45, 0.24, 3.0, 2.5
_MOST_ENTRIES = 160
# Slices with a side shorter than this part of the other one are stretched to be seen at all.
_FLAT = 1 / 12


def write_preview(
    volume: Volume,
    segmentation: Segmentation,
    path_png: Path | str,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Draw axial, coronal and sagittal slices with the contours of all masks, and a legend with volumes.

    The display is radiological (the patient's right on the left), all slices to the same scale, each the one
    that shows most of the structures. CT is shown in a soft-tissue window.

    Args:
        volume: The scan.
        segmentation: Masks on the grid of the volume.
        path_png: Where to write.
        names: Names by structure; other structures keep their own.

    Raises:
        DiskFullError: There is no room.
        OutputError: The file cannot be written.
    """
    colors = distinct_colors([appearance_of(mask.structure).color for mask in segmentation])
    slices = [fullest_slice(volume, segmentation, view) for view in VIEWS]
    window = display_window(volume)
    layout = _layout(slices, len(segmentation))
    figure = Figure(figsize=(layout.width, layout.height), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    for piece, box in zip(slices, layout.panels, strict=True):
        draw_slice(figure.add_axes(layout.fraction(box)), piece, colors, window)
    legend = figure.add_axes(layout.fraction(layout.legend))
    _draw_legend(legend, segmentation.masks, segmentation.named(names), colors, slices)
    _draw_footer(figure, segmentation, volume, window)
    with atomic_output(path_png) as temporary:
        figure.savefig(temporary, format="png", facecolor=BACKGROUND)


_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Layout:
    """Places on paper in inches; a box is left, bottom, width, height."""

    width: float
    height: float
    panels: tuple[_Box, ...]
    legend: _Box

    def fraction(self, box: _Box) -> _Box:
        """Return a box as matplotlib wants it: in fractions of the figure."""
        left, bottom, width, height = box
        return (left / self.width, bottom / self.height, width / self.width, height / self.height)


def _layout(slices: Sequence[Slice], count: int) -> _Layout:
    """Put the slices side by side, and the legend on their right or, if it is long, below them."""
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
        panels.append((left, height - _TITLE - panel_height, panel_width, panel_height))
        left += panel_width + _GAP
    if beside:
        width = left + _LEGEND_COLUMN + _GAP
        return _Layout(width, height, tuple(panels), (left, _FOOTER, _LEGEND_COLUMN, body))
    return _Layout(left, height, tuple(panels), (_GAP, _FOOTER, columns * _LEGEND_COLUMN, rows))


def display_window(volume: Volume) -> tuple[float, float]:
    """Return the values shown black and white: soft tissue for CT, else most of the image."""
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
    """Height and width of each panel in inches, all to one scale; thin slabs are stretched to be seen."""
    widths, heights = [s.size_mm[1] for s in slices], [s.size_mm[0] for s in slices]
    scale = min(_PICTURES_WIDTH / sum(widths), _TALLEST / max(heights))
    return [
        (max(h * scale, _SHORTEST), max(w * scale, _SHORTEST)) for h, w in zip(heights, widths, strict=True)
    ]


def draw_slice(axes: Axes, piece: Slice, colors: Sequence[Color], window: tuple[float, float]) -> None:
    """Draw a slice with the contours of its masks, its position and the sides of the patient."""
    rows, columns = piece.pixels.shape
    flat = min(piece.size_mm) < max(piece.size_mm) * _FLAT
    # Clipped before it is drawn, or the interpolation lets metal bloom.
    axes.imshow(
        np.clip(piece.pixels, *window),
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        interpolation="bilinear",
        aspect="auto" if flat else piece.pixel_mm[0] / piece.pixel_mm[1],
    )
    for mask, color in zip(piece.masks, colors, strict=True):
        if mask is not None:
            _draw_contour(axes, mask, color)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_axis_off()
    axes.set_anchor("NW")
    title = f"{piece.view.name}   {'RAS'[piece.view.across]} {piece.position_mm:+.0f} mm"
    title += "   (stretched)" if flat else ""
    axes.set_title(title, color=_DIM, fontsize=9, loc="left", pad=4)
    places = (
        (0.015, 0.5, "left", "center"),
        (0.985, 0.5, "right", "center"),
        (0.5, 0.985, "center", "top"),
        (0.5, 0.015, "center", "bottom"),
    )
    for letter, (x, y, across, along) in zip(piece.view.letters, places, strict=True):
        text = axes.text(
            x, y, letter, ha=across, va=along, color=_TEXT, fontsize=10, transform=axes.transAxes
        )
        text.set_path_effects([withStroke(linewidth=2.5, foreground="black")])


def _draw_contour(axes: Axes, mask: NDArray[np.bool_], color: Color) -> None:
    """Draw the outline with a dark edge, so that it is seen on bone and on air, and a faint filling."""
    # One background pixel around closes contours at the border of the image.
    padded = np.pad(mask, 1).astype(np.float32)
    x, y = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
    line = tuple(c / 255 for c in color)
    axes.contourf(x, y, padded, levels=[0.5, 1.5], colors=[line], alpha=0.18)
    outline = axes.contour(x, y, padded, levels=[0.5], colors=[line], linewidths=1.5)
    outline.set_joinstyle("round")
    outline.set_path_effects([withStroke(linewidth=2.8, foreground=(0, 0, 0, 0.75))])


def _draw_legend(
    axes: Axes,
    masks: Sequence[StructureMask],
    names: Sequence[str],
    colors: Sequence[Color],
    slices: Sequence[Slice],
) -> None:
    shown = masks[:_MOST_ENTRIES]
    width, height = axes.bbox.width / _DPI, axes.bbox.height / _DPI
    columns = max(1, int(width / _LEGEND_COLUMN + 1e-6))
    per_column = max(1, math.ceil(len(shown) / columns))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    for number, mask in enumerate(shown):
        x, y = number // per_column * _LEGEND_COLUMN, (number % per_column + 0.5) * _ROW
        visible = any(piece.masks[number] is not None for piece in slices)
        _draw_entry(axes, names[number], mask.statistics, colors[number], (x, y), visible=visible)
    hidden = len(masks) - len(shown)
    if hidden:
        axes.text(0.05, height + _ROW / 2, f"and {hidden} more", color=_DIM, fontsize=9, va="center")


def _draw_entry(
    axes: Axes,
    name: str,
    statistics: MaskStatistics,
    color: Color,
    place: tuple[float, float],
    *,
    visible: bool,
) -> None:
    x, y = place
    empty = statistics.is_empty
    fill: Any = "none" if empty else tuple(c / 255 for c in color)
    edge = _DIM if empty else fill
    axes.add_patch(Rectangle((x + 0.05, y - 0.07), 0.16, 0.14, facecolor=fill, edgecolor=edge, linewidth=1))
    style: dict[str, Any] = {
        "fontsize": 9,
        "va": "center",
        "color": _TEXT if visible else _DIM,
        "parse_math": False,
    }
    # The font of matplotlib draws boxes, with warnings, for scripts that it does not know.
    name = name.encode("latin-1", "replace").decode("latin-1")
    axes.text(x + 0.32, y, name if len(name) <= 27 else name[:26] + "…", **style)
    amount = "not found" if empty else _millilitres(statistics.volume_ml)
    axes.text(x + _LEGEND_COLUMN - 0.15, y, amount, ha="right", **style)


def _millilitres(volume_ml: float) -> str:
    return f"{volume_ml:,.0f} ml" if volume_ml >= 10 else f"{volume_ml:.2g} ml"


def _draw_footer(
    figure: Figure, segmentation: Segmentation, volume: Volume, window: tuple[float, float]
) -> None:
    model = str(segmentation.provenance.get("model", ""))
    unit = " HU" if volume.modality == "CT" else ""
    facts = [model, volume.modality, f"window {window[0]:.4g} to {window[1]:.4g}{unit}"]
    line = "  ·  ".join(filter(None, facts))
    left, y = _GAP / figure.get_figwidth(), _FOOTER / 2 / figure.get_figheight()
    figure.text(left, y, line, color=_DIM, fontsize=9, va="center", parse_math=False)
    if model == "sat-demo":
        figure.text(
            1 - left, y, DISCLAIMER, color=_WARNING, fontsize=11, weight="bold", ha="right", va="center"
        )
