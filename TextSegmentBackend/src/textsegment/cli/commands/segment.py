"""``textsegment segment``: segments scans by a line of text or a template, and writes masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsegment.cli.batch import run_batch
from textsegment.cli.outputs import OutputOptions, require_usable
from textsegment.cli.region import check_region
from textsegment.cli.remote import LOCAL, connect, connect_to_running
from textsegment.cli.report import print_facts, print_table
from textsegment.cli.selection import read_criteria
from textsegment.cli.session import Session
from textsegment.errors import SettingsError
from textsegment.files.dicom.presentation import Presentation
from textsegment.modality import modality_code
from textsegment.server.settings import KEY_VARIABLE


def segment_command(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... [TEXT]",
            help="Images (NIfTI, NRRD, MetaImage, a DICOM folder, a folder of image files), and last the "
            'structures: "liver, left kidney"; with --template they may be left out.',
            show_default=False,
        ),
    ],
    output: Annotated[
        list[str],
        typer.Option(
            "-o",
            "--output",
            help="OUT.seg.nrrd, a label map (.nii.gz, .nrrd, .mha), OUT.rtstruct.dcm, OUT.seg.dcm, or a "
            "folder: one NIfTI a structure. May be repeated. For several images DIR/ or DIR/FILE: each gets "
            "a folder of its own in DIR.",
            show_default=False,
        ),
    ],
    template: Annotated[
        str | None,
        typer.Option(
            help="Set of structures: prostate, 'full head and neck', oar_breast, or a file of your own "
            "(docs/templates.md); `textsegment terms templates` shows them."
        ),
    ] = None,
    derive: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEFINITION",
            help='Structure made of others: "Lungs = left lung + right lung", "Cord_PRV = spinal cord margin '
            '5", "Opt = bowel - (PTV margin 5)". May be repeated.',
            show_default=False,
        ),
    ] = None,
    use: Annotated[
        Path | None,
        typer.Option(
            help="Structure set, DICOM segmentation or .seg.nrrd of the scan, whose structures --derive may "
            "use."
        ),
    ] = None,
    naming: Annotated[
        str | None,
        typer.Option(
            help="Names in the results: sat, tg263 or snomed; by default tg263 with a structure set, else "
            "sat. Lines of a template keep their own."
        ),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Number of the series, where a DICOM folder holds several.")
    ] = None,
    volume: Annotated[
        int | None,
        typer.Option(
            help="Number, from 1, of the volume where a file holds several (time points, channels)."
        ),
    ] = None,
    short_names: Annotated[
        bool, typer.Option("--short-names", help="At most 16 characters a name in a structure set.")
    ] = False,
    label: Annotated[
        str | None, typer.Option(help="Label of the structure set or segmentation, at most 16 characters.")
    ] = None,
    series_description: Annotated[
        str | None, typer.Option(help="Description of the DICOM series, at most 64 characters.")
    ] = None,
    unicode_names: Annotated[
        bool,
        typer.Option(
            "--unicode-names",
            help="Names in a structure set may be in any script; otherwise those that ASCII cannot spell "
            "get their name of TG-263, or the model's.",
        ),
    ] = False,
    segmentation_type: Annotated[
        str,
        typer.Option(
            help="Kind of a DICOM segmentation: binary (structures may overlap), labelmap (small), or auto: "
            "labelmap where it would be large and nothing overlaps."
        ),
    ] = "auto",
    append_to: Annotated[
        Path | None, typer.Option(help="Structure set whose regions the new one shall have too.")
    ] = None,
    replace: Annotated[
        Path | None,
        typer.Option(
            help="Structure set of an earlier run: the new one has its regions too, but for machine-made "
            "ones that nobody has edited. What a person has edited is kept and not made again; an approved "
            "set is left alone."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="sat-demo, sat-nano, sat-pro, or a file of `textsegment train`.", show_default="sat-demo"
        ),
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
    roi: Annotated[
        str | None,
        typer.Option(
            metavar="REGION",
            help="Look at a part of the image only, for a part of the time: two corners in millimetres, "
            "R,A,S,R,A,S; or a first result, a structure and a margin: first.seg.nrrd:liver:20.",
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="Fewer patches in large images; masks a little worse (docs/performance.md)."
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compute everything a second time on a shifted image, and say which masks change: twice the "
            "time.",
        ),
    ] = False,
    tidy: Annotated[
        bool | None,
        typer.Option(
            "--tidy/--no-tidy",
            help="Remove stray parts and what lies on the wrong side, and rebuild wholes that disagree with "
            "their parts; what was removed is said (docs/tidy.md).",
            show_default="on for sat-demo and calibrated weights",
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL|local",
            help="Let a TextSegment server do it: https://gpu.example.org. The images go there. With `local` "
            "a running one of yours on this computer is found (`textsegment serve`, or 3D Slicer's).",
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
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page to print, with pictures, into this HTML file; for several images a file name."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help='Run sets of structures ("ribs") unasked.')
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Segment structures that are named by a line of text, a template, or both.

    Several images, or a folder of them: each result gets a folder of its own below the output; broken
    images are reported and left out; the same command, run again, goes on where it stopped.

    Exit codes: 0 done, 2 usage or unknown structure, 3 image, 4 output, 5 weights, 6 device or memory,
    7 missing package, 8 some images of several failed, 9 server, 130 cancelled.
    """
    images, request = read_criteria(
        arguments,
        template=template,
        derive=derive or (),
        naming=naming or _usual_naming(output),
        given=use,
    )
    if roi is not None:
        check_region(roi)
    session = Session(
        request,
        model=model or "sat-demo",
        device=device or "auto",
        precision=precision or "auto",
        modality=None if modality is None else modality_code(modality),
        series=series,
        volume_number=volume,
        roi=roi,
        fast=fast,
        check=check,
        tidy=tidy,
        yes=yes,
        overwrite=overwrite,
        quiet=quiet,
    )
    presentation = Presentation(label, series_description, unicode_names)
    targets = OutputOptions(
        tuple(output), preview, json, report, short_names, append_to, presentation, segmentation_type, replace
    )
    if append_to is not None and replace is not None:
        raise SettingsError("--append-to and --replace cannot go together.", "Leave one out.")
    if server is None:
        _require_none("without --server", token_file=token_file, ca_file=ca_file)
        _segment(images, targets, session)
        return
    if server == LOCAL:
        _require_none("with --server local", token_file=token_file, ca_file=ca_file)
        _require_none("with --server: it has been decided", device=device, precision=precision)
        with connect_to_running(model) as session.server:
            _segment(images, targets, session)
        return
    _require_none("with --server: its operator decides", model=model, device=device, precision=precision)
    with connect(
        server, token_file=token_file, ca_file=ca_file, allow_plain_http=allow_plain_http
    ) as session.server:
        _segment(images, targets, session)


def _segment(paths: list[Path], targets: OutputOptions, session: Session) -> None:
    from textsegment.files.scan_search import find_scans

    found = find_scans(paths)
    if not session.quiet:
        for note in found.notes():
            typer.echo(note, err=True)
    if len(found.scans) > 1 or found.is_folder:  # a folder counts as several images, even with only one
        run_batch(found, targets, session)
        return
    found.require_clear(found.scans[0])
    require_usable(targets, found.scans[0], session.request.given)
    report = session.run(found.scans[0], targets)
    if not session.quiet:
        print_table(report)
        typer.echo(f"Written: {', '.join(targets.results)}")
        print_facts(report)


def _require_none(when: str, **options: object) -> None:
    """Refuse options that have no effect in the given situation.

    Raises:
        SettingsError: If one of the options is set.
    """
    for name, value in options.items():
        if value is not None:
            raise SettingsError(f"--{name.replace('_', '-')} means nothing {when}.", "Leave it out.")


def _usual_naming(outputs: list[str]) -> str:
    """Return the default naming scheme: TG-263 for structure sets, as planning systems expect it."""
    from textsegment.files.results import is_structure_set

    return "tg263" if any(map(is_structure_set, outputs)) else "sat"
