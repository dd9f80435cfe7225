"""Many images: each result in a folder of its own, resumed where it stopped, in spite of broken images."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

import textsegment
from textsegment.cli.errors import BATCH_INCOMPLETE, show_error
from textsegment.cli.outputs import Targets, require_absent, require_folder, whole_folder
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
from textsegment.files.atomic import make_folder
from textsegment.files.names import file_stems
from textsegment.files.report import disclaimer_of, write_json

REPORT = "report.json"
_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
_RESULT_SUFFIX = ".seg.nrrd"
# Formats whose voxels lie in a file beside the header.
_DETACHED = (".nhdr", ".mhd")


def find_images(given: Sequence[Path]) -> list[Path]:
    """Return the images, with each folder of image files replaced by them; DICOM folders stay."""
    images: list[Path] = []
    for path in given:
        try:
            inside = sorted(p for p in path.iterdir() if _is_image(p)) if path.is_dir() else []
        except OSError:  # whoever reads the image will say why
            inside = []
        images += inside or [path]
    return images


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(_SUFFIXES) and not name.endswith(_RESULT_SUFFIX) and path.is_file()


@dataclass(frozen=True)
class _Outcome:
    name: str
    state: str
    report: Mapping[str, Any] | None = None
    error: TextSegmentError | None = None

    def to_json(self) -> dict[str, Any]:
        error = self.error and {"code": self.error.code, "message": self.error.message}
        return {"name": self.name, "state": self.state, "error": error, "report": self.report}


def run_batch(images: Sequence[Path], targets: Targets, session: Session) -> None:
    """Segment all images into folders below the output, named after the files.

    A result is complete if its folder holds a report of the same image, request, model and modality: then it
    is kept as it is.

    Raises:
        typer.Exit: With ``BATCH_INCOMPLETE`` if images failed.
        TextSegmentError: What would fail for all images: weights, device, disk full, consent.
    """
    folder = _output_folder(targets)
    if session.request.given is not None:
        raise OutputError("Structures made before belong to one image.", "Leave --use out.")
    session.info  # noqa: B018 – whatever is wrong with model or server is wrong for all images
    names = file_stems([_stem(image) for image in images])
    outcomes: list[_Outcome] = []
    for number, (image, name) in enumerate(zip(images, names, strict=True), start=1):
        label = f"{number}/{len(images)} {name}"
        outcome = _outcome(image, folder / name, targets, session, label)
        outcomes.append(outcome)
        if outcome.error is not None:
            show_error(outcome.error, label)
        elif not session.quiet:
            typer.echo(f"{label}: {_summary(outcome)}")
    failed = sum(outcome.error is not None for outcome in outcomes)
    if targets.report is not None:
        entries = [outcome.to_json() for outcome in outcomes]
        write_json({"version": textsegment.__version__, "images": entries}, targets.report)
    if not session.quiet:
        typer.echo(f"{len(images) - failed} of {len(images)} images are done: {folder}")
        typer.echo(disclaimer_of(session.info.model))
    if failed:
        raise typer.Exit(BATCH_INCOMPLETE)


def _output_folder(targets: Targets) -> Path:
    if len(targets.results) > 1 or targets.append_to or targets.short_names:
        raise OutputError("Several images are written as masks into one folder.", "Give one: -o results/")
    (result,) = targets.results
    folder = Path(result)
    if folder.is_file() or (folder.suffix and not folder.is_dir() and not result.endswith("/")):
        raise OutputError("Several images need a folder for the results.", "Give one: -o results/")
    for what, path, suffix in (("preview", targets.preview, ".png"), ("report", targets.page, ".html")):
        if path is not None and (path.name != str(path) or path.suffix.lower() != suffix):
            raise OutputError(
                f"For several images the {what} is a file name that ends in {suffix}.",
                "It is written into the folder of each result.",
            )
    make_folder(folder)
    if targets.report is not None:
        require_folder(targets.report.resolve().parent)
    return folder


def _outcome(image: Path, target: Path, targets: Targets, session: Session, label: str) -> _Outcome:
    try:
        request = _request(image, session)
        kept = _complete_report(target, request)
        if kept is not None and not session.overwrite:
            return _Outcome(target.name, "kept", kept)
        if not session.overwrite:
            require_absent([target])
        with whole_folder(target) as folder:
            inside = Targets(
                (f"{folder}/",),
                preview=targets.preview and folder / targets.preview,
                page=targets.page and folder / targets.page,
            )
            report = session.run(image, inside, label=f"{label}: ")
            write_json({**report, "request": request}, folder / REPORT)
        return _Outcome(target.name, "done", report)
    except DiskFullError:
        raise
    except (InputError, UnknownStructureError, OutputError, OutOfMemoryError) as error:
        return _Outcome(target.name, "failed", error=error)


def _summary(outcome: _Outcome) -> str:
    assert outcome.report is not None
    states = [entry["state"] for entry in outcome.report["structures"]]
    found = f"{len(states) - states.count('not found')} of {len(states)} structures found"
    if outcome.state == "kept":
        return f"kept, {found}"
    return f"{found}, {sum(outcome.report['timings_s'].values()):.1f} s"


def _stem(image: Path) -> str:
    name = image.resolve().name
    suffix = next((s for s in _SUFFIXES if name.lower().endswith(s)), "")
    return name[: -len(suffix)] if suffix else name


def _request(image: Path, session: Session) -> dict[str, Any]:
    """Return what makes two results the same."""
    return {
        "image_sha256": _fingerprint(image),
        **session.request.to_json(),
        "modality": session.modality,
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
    """Return a SHA-256 of the bytes of a file, of a header and its voxel file, or of all files in a folder.

    Cheaper than reading the image, and the same wherever the file lies.
    """
    if image.is_dir():
        files = sorted(path for path in image.rglob("*") if path.is_file())
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
