"""Comparison as a printable page: a single HTML file without scripts or external resources."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

import numpy as np

from textsegment.compare.comparison import Comparison, StructureComparison, box_around, part_of
from textsegment.compare.table import COLUMNS, cells
from textsegment.errors import GeometryError
from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.pictures import close_up_png
from textsegment.files.report.preview import display_window
from textsegment.files.report.slices import VIEWS, fullest_index, slice_at
from textsegment.files.report.style import STYLE
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.volume import Volume

# Distinguishable with any colour vision, and on grey.
_RESULT, _REFERENCE = (255, 160, 40), (70, 190, 255)


def write_comparison_page(comparison: Comparison, path: Path | str, *, volume: Volume | None = None) -> None:
    """Write a page with the table of measures and a picture of each structure where the two differ most.

    Args:
        comparison: Comparison to show.
        path: File to write, ending in ``.html``.
        volume: Scan on the grid of the reference, to draw behind the contours; None for a black background.

    Raises:
        GeometryError: The scan lies on another grid than the reference.
        DiskFullError: The disk is full.
        OutputError: The file cannot be written.
    """
    background = _background(comparison, volume)
    sections = (
        _head(comparison),
        _table(comparison.structures),
        _names("Missing in the result", comparison.matching.missing),
        _names("Only in the result", comparison.matching.extra),
        _names("Unclear, not compared", comparison.matching.unclear),
        _names("Warnings", comparison.warnings),
        _gallery(comparison, background),
    )
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Comparison</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{''.join(sections)}</body></html>\n"
    )
    with atomic_output(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def require_on_reference(volume: Volume, reference: Geometry) -> None:
    """Check that a scan lies on the grid of a reference.

    Raises:
        GeometryError: It lies on another grid.
    """
    if not volume.geometry.is_same_grid(reference):
        raise GeometryError(
            "The scan lies on another grid than the reference.",
            "Leave it out, or give that of the reference.",
        )


def _background(comparison: Comparison, volume: Volume | None) -> Volume:
    """Return the volume to draw on the common grid, which may be larger than that of the scan."""
    geometry = comparison.aligned.reference.geometry
    if volume is None:
        return Volume(np.broadcast_to(np.int16(0), geometry.spatial_shape), geometry, "CT")
    i, j, k = np.rint(geometry.to_index(volume.geometry.origin)).astype(int)
    p, q, r = volume.voxels.shape
    if (i, j, k) == (0, 0, 0) and volume.voxels.shape == geometry.spatial_shape:
        return volume
    voxels = np.full(geometry.spatial_shape, volume.voxels.min(), dtype=volume.voxels.dtype)
    voxels[i : i + p, j : j + q, k : k + r] = volume.voxels
    return Volume(voxels, geometry, volume.modality)


def _head(comparison: Comparison) -> str:
    legend = "".join(
        f'<span class="swatch" style="background:rgb{color}"></span> {name} &nbsp; '
        for name, color in (("Result", _RESULT), ("Reference", _REFERENCE))
    )
    facts = {
        "Made": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "Structures compared": str(len(comparison.structures)),
        "Grid": f"that of the reference; the grid of the result: {comparison.aligned.fit.value}",
        "Contours": legend,
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f"<header><h1>Comparison</h1><dl>{rows}</dl></header>\n"


def _table(structures: Sequence[StructureComparison]) -> str:
    head = "".join(f'<th class="number">{column}</th>' for column in COLUMNS)
    rows = "".join(
        f"<tr><td><strong>{escape(found.reference.structure)}</strong></td>"
        + "".join(f'<td class="number">{cell}</td>' for cell in cells(found.measures))
        + "</tr>"
        for found in structures
    )
    return f"<table><thead><tr><th>Structure</th>{head}</tr></thead><tbody>{rows}</tbody></table>\n"


def _names(title: str, names: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(name)}</li>" for name in names)
    return f"<section><h2>{title}</h2><ul>{items}</ul></section>\n" if items else ""


def _gallery(comparison: Comparison, background: Volume) -> str:
    figures = "".join(
        f'<figure><img alt="{escape(found.reference.structure)}" src="data:image/png;base64,'
        f'{base64.b64encode(_picture(found, background)).decode("ascii")}"><figcaption>'
        f"{escape(found.reference.structure)}: Dice {found.measures.dice:.3f}</figcaption></figure>"
        for found in comparison.structures
        if not (found.result.statistics.is_empty and found.reference.statistics.is_empty)
    )
    title = "Each structure in the axial slice where the two differ most"
    return f'<h2>{title}</h2><div class="gallery">{figures}</div>\n' if figures else ""


def _picture(found: StructureComparison, background: Volume) -> bytes:
    masks = (found.result, found.reference)
    geometry = background.geometry
    box = box_around(*masks)
    different = part_of(found.result, box) ^ part_of(found.reference, box)
    shown = different if different.any() else part_of(found.reference, box)
    where = StructureMask.measured("difference", shown, geometry, start=box.start)
    index = fullest_index(Segmentation(geometry, (where,)), VIEWS[0])
    piece = slice_at(background, Segmentation(geometry, masks), VIEWS[0], index)
    return close_up_png(piece, [_RESULT, _REFERENCE], display_window(background))
