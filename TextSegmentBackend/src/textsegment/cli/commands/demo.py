"""``textsegment demo``: segments a real sample scan by a line of text, and writes masks and a preview."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsegment.cli.outputs import OutputOptions
from textsegment.cli.report import print_facts, print_table
from textsegment.cli.selection import SelectionCriteria
from textsegment.cli.session import Session
from textsegment.files.disk.atomic import make_folder
from textsegment.files.sample import sample_scan
from textsegment.vocabulary.selection import check_text

TEXT = "left lung, right lung, heart, aorta, vertebrae, liver"


def demo_command(
    text: Annotated[str, typer.Argument(help="Structures.")] = TEXT,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path(
        "demo-output"
    ),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Segment 3D Slicer's sample chest CT with the demonstration model.

    The scan comes with the package slicerio. Results of an earlier demo in the folder are replaced.
    """
    check_text(text)
    scan = sample_scan()
    folder = make_folder(output)
    masks = folder / "chest.seg.nrrd"
    targets = OutputOptions((str(masks),), folder / "preview.png", folder / "report.json")
    if not quiet:
        typer.echo(f"3D Slicer's sample chest CT, segmented by sat-demo:\n{text}")
    report = Session(SelectionCriteria(text), modality="CT", yes=True, overwrite=True, quiet=quiet).run(
        scan, targets
    )
    if quiet:
        return
    print_table(report)
    for path, what in (
        (targets.preview, "picture"),
        (masks, "masks, for 3D Slicer"),
        (targets.report, "figures"),
    ):
        typer.echo(f"{path}  ({what})")
    print_facts(report)
