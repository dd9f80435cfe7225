"""``textsegment correct``: carries what a person has drawn into a mask to the rest of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsegment.cli.outputs import OutputOptions, require_absent, require_distinct, require_usable
from textsegment.cli.region import check_region, read_region
from textsegment.cli.remote import connect, connect_to_nninteractive
from textsegment.cli.selection import SelectionCriteria
from textsegment.cli.session import Session
from textsegment.errors import SettingsError
from textsegment.modality import modality_code


def correct_command(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The scan.")],
    edited: Annotated[
        Path,
        typer.Option(
            help="Segmentation with the structure as it was edited: slices that differ from RESULT were "
            "drawn, all else is to be mended. An image of one structure needs no names in it.",
            show_default=False,
        ),
    ],
    structure: Annotated[
        str, typer.Option(help="Name of the structure in both segmentations.", show_default=False)
    ],
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="As for `segment`; may be a new file only, or --overwrite."),
    ],
    result: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RESULT]",
            help="Segmentation before the edits; its other structures are kept as they are. Without it, or "
            "where it lacks the structure, the structure is drawn once, from the slices alone.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="What to ask the model for; by default the structure, if the model knows it."),
    ] = None,
    roi: Annotated[
        str | None,
        typer.Option(
            metavar="REGION", help="Change voxels of this part of the image only; as for `segment`."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="sat-demo, sat-nano, sat-pro, or a file of `textsegment train`.")
    ] = "sat-demo",
    modality: Annotated[
        str | None, typer.Option(help="CT, MR or PT; by default that of the DICOM header, or guessed.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Number of the series, where a DICOM folder holds several.")
    ] = None,
    volume: Annotated[
        int | None, typer.Option(help="Number, from 1, of the volume where a file holds several.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Let a TextSegment server do it. The image goes there.")
    ] = None,
    nninteractive: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Let your own nnInteractive server do it; its published weights are for non-commercial use. "
            "The image goes there.",
        ),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="Holds the key of the server.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificate authorities to trust in place of the usual ones, PEM.")
    ] = None,
    allow_plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Send key and image unencrypted to another computer.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Mend a mask from a few slices that were drawn anew, or draw a structure once.

    Drawn slices stay as they are. The files that are given are never changed.
    """
    from textsegment.files.correction import read_edits, write_corrected
    from textsegment.files.reading import read_scan
    from textsegment.files.results import require_writable

    if nninteractive is not None and (server is not None or prompt is not None):
        raise SettingsError(
            "nnInteractive is a server by itself, and knows no words.",
            "Leave --server and --prompt out, or --nninteractive.",
        )
    targets = OutputOptions((output,))
    require_usable(targets, image, result, edited)
    if roi is not None:
        check_region(roi)
    scan = read_scan(
        image,
        modality=None if modality is None else modality_code(modality),
        series=series,
        volume_number=volume,
    )
    require_writable(output, scan.source)
    drawn = read_edits(scan, structure, edited, result)
    files = targets.files(drawn.names)
    require_distinct(files)
    if not overwrite:
        require_absent(files)
    within = None if roi is None else read_region(roi, scan)
    if nninteractive is not None:
        with connect_to_nninteractive(
            nninteractive, token_file=token_file, allow_plain_http=allow_plain_http
        ) as corrector:
            mask = corrector.correct(
                scan.volume, edits=drawn.edits, base=drawn.base, name=drawn.name, within=within
            )
            made_by = corrector.info()
    else:
        session = Session(SelectionCriteria(""), model=model, device=device, precision=precision, quiet=quiet)
        if server is not None:
            session.server = connect(
                server, token_file=token_file, ca_file=ca_file, allow_plain_http=allow_plain_http
            )
        made_by = session.info
        mask = session.segmenter.correct(
            scan.volume,
            edits=drawn.edits,
            base=drawn.base,
            prompt=drawn.prompt(made_by, scan.volume.modality, prompt),
            name=drawn.name,
            within=within,
        )
    said = list(mask.warnings)
    write_corrected(drawn, mask, made_by, scan, output, said.append)
    if quiet:
        return
    before = "new" if drawn.base is None else f"{drawn.base.statistics.volume_ml:.3g} ml"
    edits = "1 edit" if len(drawn.edits) == 1 else f"{len(drawn.edits)} edits"
    typer.echo(f"{drawn.name}: {before} → {mask.statistics.volume_ml:.3g} ml, {edits}")
    for sentence in said:
        typer.echo(f"! {sentence}")
    typer.echo(f"Written: {output}")
