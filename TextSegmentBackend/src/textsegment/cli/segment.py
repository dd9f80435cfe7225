"""``textsegment segment``: scans and a line of text in, masks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsegment.cli.batch import find_images, run_batch
from textsegment.cli.outputs import Targets, require_usable
from textsegment.cli.remote import KEY_VARIABLE, connect
from textsegment.cli.report import print_facts, print_table
from textsegment.cli.session import Session
from textsegment.errors import PromptError, SettingsError, UnknownStructureError
from textsegment.vocabulary.wanted import check_text
from textsegment.volume import modality_code


def segment_command(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... TEXT",
            help="Images (NIfTI, NRRD, MetaImage, a DICOM folder, a folder of image files), and last the "
            'structures: "liver, left kidney".',
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="OUT.seg.nrrd, a label map (.nii.gz, .nrrd, .mha), or a folder: one NIfTI a structure; "
            "for several images one folder each in it.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="sat-demo, sat-nano or sat-pro.", show_default="sat-demo")
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="CT, MR or PT; by default that of the DICOM header, or guessed.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", show_default="auto")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32, fp16 or bf16.", show_default="auto")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Let a TextSegment server do it: https://gpu.example.org. The images go there.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"Holds the key of the server; by default the variable {KEY_VARIABLE} does."),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificate authorities to trust in place of the usual ones, PEM.")
    ] = None,
    allow_plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Send key and images unencrypted to another computer.")
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(help="Draw three slices with contours into this PNG; for several images a file name."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Write figures, times and warnings into this file.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help='Run sets of structures ("ribs") unasked.')
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Segment structures that are named by a line of text.

    Several images, or a folder of them: each result gets a folder of its own below the output; broken
    images are reported and left out; the same command, run again, goes on where it stopped.

    Exit codes: 0 done, 2 usage or unknown structure, 3 image, 4 output, 5 weights, 6 device or memory,
    7 missing package, 8 some images of several failed, 9 server, 130 cancelled.
    """
    *given, text = arguments
    _require_text(given, text)
    session = Session(
        text,
        model=model or "sat-demo",
        device=device or "auto",
        precision=precision or "auto",
        modality=None if modality is None else modality_code(modality),
        yes=yes,
        overwrite=overwrite,
        quiet=quiet,
    )
    _require_quotes(given)
    targets = Targets(output, preview, json)
    if server is None:
        _require_none("without --server", token_file=token_file, ca_file=ca_file)
        _segment(given, targets, session)
        return
    _require_none("with --server: its operator decides", model=model, device=device, precision=precision)
    with connect(
        server, token_file=token_file, ca_file=ca_file, allow_plain_http=allow_plain_http
    ) as session.server:
        _segment(given, targets, session)


def _segment(given: list[str], targets: Targets, session: Session) -> None:
    paths = [Path(path) for path in given]
    images = find_images(paths)
    if len(images) > 1 or images != paths:  # a folder of images stays many, even if it holds one
        run_batch(images, targets, session)
        return
    require_usable(targets, images[0])
    report = session.run(images[0], targets)
    if not session.quiet:
        print_table(report)
        typer.echo(f"Written: {targets.result}")
        print_facts(report)


def _require_none(when: str, **options: object) -> None:
    """Refuse options that mean nothing."""
    for name, value in options.items():
        if value is not None:
            raise SettingsError(f"--{name.replace('_', '-')} means nothing {when}.", "Leave it out.")


def _require_text(images: list[str], text: str) -> None:
    """Refuse a command line without structures; a folder named like a structure is no image."""
    try:
        check_text(text)
    except UnknownStructureError:
        if not _is_there(text):
            raise
    else:
        if images:
            return
    raise PromptError(
        "The command line needs images and, last, the structures.",
        'For example: textsegment segment scan.nii.gz "liver, left kidney" -o out.seg.nrrd',
    )


def _require_quotes(images: list[str]) -> None:
    """Refuse ``scan.nii.gz liver, spleen``: words without quotes would be taken for images."""
    for number, path in enumerate(images[1:], start=2):
        if not _is_there(path) and not Path(path).suffix:
            raise PromptError(
                f"Argument {number} is no image.",
                "Put all structures into one pair of quotes, after the images.",
            )


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # longer than a name can be
        return False
