"""``textsegment compare``: measures how far a segmentation is from a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsegment.cli.outputs import OutputOptions, require_absent, require_usable
from textsegment.errors import SettingsError


def compare_command(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Segmentation to judge.")],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="Segmentation to judge it by.")],
    scan: Annotated[
        Path | None,
        typer.Option(help="The scan of both: structure sets need it, and pictures show it."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="Of the surface Dice in mm, 1 if not given; 'spinal cord=2' for one structure."),
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="Two names for one structure: 'name in RESULT=name in REFERENCE'."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(help='Names of the numbers of a label map: {"1": "liver"}, where it has no table.'),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures into this file, too.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page with pictures (.html), too.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Compare two segmentations: Dice, surface Dice, HD95, mean surface distance, added path length, volumes.

    Formats: .seg.nrrd, label maps, folders of masks, structure sets, DICOM segmentations. Structures are
    matched by name and meaning. docs/metrics.md defines every figure.
    """
    from textsegment.compare.comparison import Tolerances, compare
    from textsegment.compare.page import require_on_reference, write_comparison_page
    from textsegment.compare.table import lines
    from textsegment.files.reading import read_scan
    from textsegment.files.report.summary import write_json
    from textsegment.files.segmentations import read_segmentation

    targets = OutputOptions((), report=json, page=page)
    require_usable(targets, result, reference, scan, names)
    if not overwrite:
        require_absent(targets.files(()))
    tolerances = Tolerances.parse(tolerance or ())
    pairs = dict(_pair(text) for text in pair or ())
    read = None if scan is None else read_scan(scan)
    one, other = (read_segmentation(path, scan=read, names=names) for path in (result, reference))
    if read is not None and page is not None:
        require_on_reference(read.volume, other.geometry)
    comparison = compare(one, other, tolerances=tolerances, pairs=pairs)
    for line in lines(comparison):
        typer.echo(line)
    for warning in comparison.warnings:
        typer.echo(f"! {warning}")
    if json is not None:
        write_json(comparison.to_json(), json)
    if page is not None:
        write_comparison_page(comparison, page, volume=None if read is None else read.volume)


def _pair(text: str) -> tuple[str, str]:
    one, separator, other = text.partition("=")
    if not separator or not one.strip() or not other.strip():
        raise SettingsError(f"{text!r} is no pair of names.", "Write 'name in RESULT=name in REFERENCE'.")
    return one.strip(), other.strip()
