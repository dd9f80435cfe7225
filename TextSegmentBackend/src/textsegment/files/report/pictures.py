"""Pictures for a report: an overview, and each structure in the slice where it is largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from textsegment.files.report.colors import Color, distinct_colors
from textsegment.files.report.drawing import Place, Sheet
from textsegment.files.report.preview import display_window
from textsegment.files.report.slices import VIEWS, Slice, fullest_slice
from textsegment.segmentation import Segmentation
from textsegment.vocabulary.appearance import appearance_of
from textsegment.volume import Volume

# Sizes on paper in inches, and millimetres of the patient shown around a structure.
_OVERVIEW_HEIGHT, _OVERVIEW_WIDTH, _LEAST, _SIDE, _TITLE = 3.2, 10.0, 1.1, 2.3, 0.22
_DPI = 110
_AROUND_MM, _LEAST_MM = 15.0, 70.0


def colors_of(segmentation: Segmentation) -> tuple[Color, ...]:
    """Return the colours of the masks in the pictures, all distinguishable."""
    return distinct_colors([appearance_of(mask.structure).color for mask in segmentation])


@dataclass(frozen=True)
class Picture:
    """A PNG and its width in inches; pictures of one overview share one scale."""

    png: bytes
    width: float


def overview_pictures(volume: Volume, segmentation: Segmentation) -> tuple[Picture, ...]:
    """Draw the axial, coronal and sagittal slices that show the most of the structures."""
    slices = [fullest_slice(volume, segmentation, view) for view in VIEWS]
    colors, window = colors_of(segmentation), display_window(volume)
    scale = min(
        _OVERVIEW_WIDTH / sum(piece.size_mm[1] for piece in slices),
        _OVERVIEW_HEIGHT / max(piece.size_mm[0] for piece in slices),
    )
    pictures = []
    for piece in slices:
        height, width = (max(size * scale, _LEAST) for size in piece.size_mm)
        sheet = Sheet(width, height + _TITLE, _DPI)
        sheet.slice(Place(0, _TITLE, width, height), piece, colors, window)
        pictures.append(Picture(sheet.png(), width))
    return tuple(pictures)


def structure_pngs(volume: Volume, segmentation: Segmentation) -> Mapping[str, bytes]:
    """Draw each non-empty mask on its own, in the axial slice where it is largest, cropped around it."""
    window = display_window(volume)
    pictures = {}
    for mask, color in zip(segmentation, colors_of(segmentation), strict=True):
        if not mask.statistics.is_empty:
            alone = Segmentation(segmentation.geometry, (mask,))
            pictures[mask.structure] = close_up_png(fullest_slice(volume, alone, VIEWS[0]), [color], window)
    return pictures


def close_up_png(piece: Slice, colors: Sequence[Color], window: tuple[float, float]) -> bytes:
    """Draw a square section of a slice around all of its masks, of which at least one is in the slice."""
    seen = np.any([mask for mask in piece.masks if mask is not None], axis=0)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    # A square section, so that all pictures have the same size.
    side_mm = max(
        _LEAST_MM,
        (rows[-1] - rows[0] + 1) * piece.pixel_mm[0] + 2 * _AROUND_MM,
        (columns[-1] - columns[0] + 1) * piece.pixel_mm[1] + 2 * _AROUND_MM,
    )
    high, wide = (side_mm / 2 / size for size in piece.pixel_mm)
    row, column = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    view = (row - high, row + high, column - wide, column + wide)
    sheet = Sheet(_SIDE, _SIDE + _TITLE, _DPI)
    sheet.slice(Place(0, _TITLE, _SIDE, _SIDE), piece, colors, window, view)
    return sheet.png()
