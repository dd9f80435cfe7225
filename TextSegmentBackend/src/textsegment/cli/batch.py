"""Batch processing: one folder of results per image, resumable, and robust to unreadable images.

``-o results/`` writes masks into ``results/IMAGE/``, ``-o results/plan.rtstruct.dcm`` writes
``results/IMAGE/plan.rtstruct.dcm``. ``IMAGE`` is the name of the file or folder given on the command line;
names are never taken from the content of an image.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import textsegment
from textsegment.cli.errors import BATCH_INCOMPLETE, show_error
from textsegment.cli.outputs import (
    OutputOptions,
    require_absent,
    require_folder,
    require_usable,
    whole_folder,
)
from textsegment.cli.report import remarks
from textsegment.cli.session import Session
from textsegment.errors import (
    DiskFullError,
    InputError,
    InputNotFoundError,
    InputUnreadableError,
    OutOfMemoryError,
    OutputError,
    TextSegmentError,
    UnknownStructureError,
)
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.disk.atomic import make_folder
from textsegment.files.disk.file_names import file_stems
from textsegment.files.disk.walking import walk_files
from textsegment.files.report.summary import disclaimer_of, write_json

if TYPE_CHECKING:
    from textsegment.files.scan_search import ScanSearch

REPORT = "report.json"
# Formats whose voxels are stored in a separate file next to the header.
_DETACHED = (".nhdr", ".mhd", ".hdr", ".img")
_FOLDER_HINT = "Give one: -o results/ for masks, -o results/plan.rtstruct.dcm for other formats."


@dataclass(frozen=True)
class _Outcome:
    name: str
    state: str
    report: Mapping[str, Any] | None = None
    error: TextSegmentError | None = None

    def to_json(self) -> dict[str, Any]:
        error = self.error and {"code": self.error.code, "message": self.error.message}
        return {"name": self.name, "state": self.state, "error": error, "report": self.report}


@dataclass(frozen=True)
class _Layout:
    """Layout of the results of a batch.

    Attributes:
        folder: Folder that holds one folder per image.
        names: File names written into each of these; an empty name stands for one file per mask.
        targets: Output options as given on the command line.
    """

    folder: Path
    names: tuple[str, ...]
    targets: OutputOptions

    @classmethod
    def of(cls, targets: OutputOptions) -> _Layout:
        """Derive the layout from the output options.

        Raises:
            OutputError: If the outputs name no folder, or different ones.
        """
        from textsegment.files.results import is_folder

        folders, names = [], []
        for result in targets.results:
            path, is_masks = Path(result), is_folder(result)
            if path.name == result and not is_masks:
                raise OutputError("Several images need a folder for the results.", _FOLDER_HINT)
            folders.append(path if is_masks else path.parent)
            names.append("" if is_masks else path.name)
        if len({folder.resolve() for folder in folders}) > 1:
            raise OutputError("All results of several images go into one folder.", _FOLDER_HINT)
        return cls(folders[0], tuple(names), targets)

    def inside(self, folder: Path) -> OutputOptions:
        """Return the output options for one image, given its folder."""
        return OutputOptions(
            tuple(f"{folder}/{name}" for name in self.names),
            preview=self.targets.preview and folder / self.targets.preview,
            page=self.targets.page and folder / self.targets.page,
            short_names=self.targets.short_names,
            presentation=self.targets.presentation,
            segmentation_type=self.targets.segmentation_type,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the output options as JSON, to compare with those of an existing result."""
        extras = [str(path) for path in (self.targets.preview, self.targets.page) if path is not None]
        shown, kind = self.targets.presentation, self.targets.segmentation_type
        return {
            "files": sorted((*self.names, *extras)),
            "short_names": self.targets.short_names,
            # Defaults are left out, so that results of older versions without these options stay valid.
            **({} if shown == Presentation() else {"presentation": asdict(shown)}),
            **({} if kind == "auto" else {"segmentation_type": kind}),
        }


def run_batch(found: ScanSearch, targets: OutputOptions, session: Session) -> None:
    """Segment all scans into folders below the output, named after their files or folders.

    A folder with a report of the same image, request, model, modality and outputs is complete, and is kept.

    Args:
        found: Scans to segment.
        targets: Output options.
        session: Options of the command, and the model.

    Raises:
        typer.Exit: With ``BATCH_INCOMPLETE`` if images failed.
        TextSegmentError: If an error concerns all images: weights, device, full disk, consent.
    """
    layout = _checked_layout(targets)
    if session.request.given is not None:
        raise OutputError("Structures made before belong to one image.", "Leave --use out.")
    session.info  # noqa: B018 – whatever is wrong with model or server is wrong for all images
    images = found.scans
    names = file_stems(found.names())
    outcomes: list[_Outcome] = []
    for number, (image, name) in enumerate(zip(images, names, strict=True), start=1):
        label = f"{number}/{len(images)} {name}"
        outcome = _outcome(found, image, layout, name, session, label)
        outcomes.append(outcome)
        if outcome.error is not None:
            show_error(outcome.error, label)
        elif not session.quiet:
            typer.echo(f"{label}: {_summary(outcome)}")
            for warning in remarks(outcome.report) if outcome.report else ():
                typer.echo(f"  ! {warning}")
    failed = [outcome.name for outcome in outcomes if outcome.error is not None]
    if targets.report is not None:
        entries = [outcome.to_json() for outcome in outcomes]
        left_out = Counter(reason for _, reason in found.left_out)
        content = {"version": textsegment.__version__, "images": entries, "left_out": left_out}
        write_json(content, targets.report)
    if not session.quiet:
        typer.echo(f"{len(images) - len(failed)} of {len(images)} images are done: {layout.folder}")
        if failed:
            typer.echo(f"Not done: {', '.join(failed)}")
        typer.echo(disclaimer_of(session.info.model))
    if failed:
        raise typer.Exit(BATCH_INCOMPLETE)


def _checked_layout(targets: OutputOptions) -> _Layout:
    """Return the layout, after refusing what would fail for every image and creating the folder."""
    layout = _Layout.of(targets)
    if targets.earlier_set is not None:
        raise OutputError(
            "An earlier structure set belongs to one patient.",
            "Leave --append-to and --replace out.",
        )
    for what, path, suffix in (("preview", targets.preview, ".png"), ("report", targets.page, ".html")):
        if path is not None and (path.name != str(path) or path.suffix.lower() != suffix):
            raise OutputError(
                f"For several images the {what} is a file name that ends in {suffix}.",
                "It is written into the folder of each result.",
            )
    make_folder(layout.folder)
    require_usable(layout.inside(layout.folder))
    if targets.report is not None:
        require_folder(targets.report.resolve().parent)
    return layout


def _outcome(
    found: ScanSearch, image: Path, layout: _Layout, name: str, session: Session, label: str
) -> _Outcome:
    target = layout.folder / name
    try:
        found.require_clear(image)
        request = {**_request(image, session), **layout.to_json()}
        kept = _complete_report(target, request)
        if kept is not None and not session.overwrite:
            return _Outcome(name, "kept", kept)
        if not session.overwrite:
            require_absent([target])
        with whole_folder(target) as folder:
            report = session.run(image, layout.inside(folder), label=f"{label}: ")
            write_json({**report, "request": request}, folder / REPORT)
        return _Outcome(name, "done", report)
    except DiskFullError:
        raise
    except (InputError, UnknownStructureError, OutputError, OutOfMemoryError) as error:
        return _Outcome(name, "failed", error=error)


def _summary(outcome: _Outcome) -> str:
    assert outcome.report is not None
    states = [entry["state"] for entry in outcome.report["structures"]]
    found = f"{len(states) - states.count('not found')} of {len(states)} structures found"
    if outcome.state == "kept":
        return f"kept, {found}"
    return f"{found}, {sum(outcome.report['timings_s'].values()):.1f} s"


def _request(image: Path, session: Session) -> dict[str, Any]:
    """Return the request as JSON, to compare with that of an existing result."""
    return {
        "image_sha256": _fingerprint(image),
        **session.request.to_json(),
        "modality": session.modality,
        # Defaults are left out, so that results of older versions without these options stay valid.
        **({} if session.volume_number is None else {"volume": session.volume_number}),
        **({} if session.roi is None else {"roi": session.roi}),
        **({"fast": True} if session.fast else {}),
        **({"tidy": True} if session.tidies else {}),
        "model": session.info.model,
        "weights_sha256": session.info.weights_sha256,
    }


def _complete_report(target: Path, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        report = json.loads((target / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and report.get("request") == request else None


def _fingerprint(image: Path) -> str:
    """Return the SHA-256 of a file, of a header and its voxel file, or of all files in a folder.

    This is cheaper than reading the image, and independent of the location of the file.
    """
    if image.is_dir():
        files = [path for _, inside in walk_files(image) for path in inside if path.is_file()]
    elif image.name.lower().endswith(_DETACHED):
        files = sorted(image.parent.glob(f"{glob.escape(image.stem)}.*"))
    else:
        files = [image]
    total = hashlib.sha256()
    if not all(path.exists() for path in files):
        raise InputNotFoundError("There is no such file or folder.", "Check the path.")
    try:
        for path in files:
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    total.update(block)
    except OSError as error:
        raise InputUnreadableError("The image may not be read.", "Check its permissions.") from error
    return total.hexdigest()
