"""Where results go: checked before the work starts, so that nothing is lost or computed in vain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textsegment.errors import OutputError, SettingsError
from textsegment.files.atomic import make_folder
from textsegment.files.dicom.presentation import Presentation


@dataclass(frozen=True)
class OutputOptions:
    """Where the result of one image goes.

    Attributes:
        results: As typed: file names or folders; a last ``/`` makes it a folder.
        preview: Picture, or None.
        report: JSON file, or None.
        page: Report for people, HTML, or None.
        short_names: At most 16 characters a name in structure sets.
        append_to: Structure set that new ones extend, or None.
        presentation: How DICOM series present themselves.
        segmentation_type: Kind of DICOM segmentations: ``auto``, ``binary`` or ``labelmap``.
    """

    results: tuple[str, ...]
    preview: Path | None = None
    report: Path | None = None
    page: Path | None = None
    short_names: bool = False
    append_to: Path | None = None
    presentation: Presentation = field(default_factory=Presentation)
    segmentation_type: str = "auto"

    def files(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Return all files that will be written.

        Raises:
            OutputError: The suffix of a result is unknown.
        """
        from textsegment.files.images.labelmap import is_table
        from textsegment.files.results import result_files

        results: list[Path] = []
        for path in (path for result in self.results for path in result_files(names, result)):
            # Label maps of one name in several formats share their table.
            if not (is_table(path) and path in results):
                results.append(path)
        extras = [path for path in (self.preview, self.report, self.page) if path is not None]
        return (*results, *extras)


def require_usable(targets: OutputOptions, *inputs: Path | None) -> None:
    """Check what can be said before the structures are known.

    Args:
        targets: Where results go.
        inputs: Files that are read: the image, and others.

    Raises:
        OutputError: An unknown suffix, a missing or unwritable folder, two outputs of one name, or one that
            is an input.
    """
    from textsegment.files.results import is_dicom_output, is_folder, is_structure_set

    if targets.preview is not None and targets.preview.suffix.lower() != ".png":
        raise OutputError("The preview is a PNG picture.", "Give it a name that ends in .png.")
    if targets.page is not None and targets.page.suffix.lower() != ".html":
        raise OutputError("The report is an HTML page.", "Give it a name that ends in .html.")
    if (targets.short_names or targets.append_to) and not any(map(is_structure_set, targets.results)):
        raise OutputError(
            "Short names and extending concern structure sets, and there is none among the outputs.",
            "Add one: -o plan.rtstruct.dcm",
        )
    if targets.segmentation_type not in ("auto", "binary", "labelmap"):
        raise SettingsError("There is no such kind of DICOM segmentation.", "Use auto, binary or labelmap.")
    if targets.presentation != Presentation() and not any(map(is_dicom_output, targets.results)):
        raise OutputError(
            "Label, description and script of names concern DICOM objects: there is none among the outputs.",
            "Add one: -o plan.rtstruct.dcm",
        )
    folders = [_absolute(Path(result)) for result in targets.results if is_folder(result)]
    files = [_absolute(path) for path in targets.files(())]
    require_distinct([*files, *folders])
    read = [path for path in (*inputs, targets.append_to) if path is not None]
    if any(_absolute(path) in files for path in read):
        raise OutputError("The output is the image itself, or another input.", "Give it another name.")
    for folder in folders:
        require_folder(_existing_part(folder))
    for path in files:
        if path.parent not in folders:
            require_folder(path.parent)


def require_distinct(files: Sequence[Path]) -> None:
    """Refuse outputs that would replace each other.

    Raises:
        OutputError: There are two of one name, or links to one file.
    """
    if len({_absolute(path) for path in files}) < len(files):
        raise OutputError("Two outputs have the same name.", "Give each its own.")


def require_absent(files: Sequence[Path]) -> None:
    """Refuse to replace what is there.

    Raises:
        OutputError: One of the files exists.
    """
    if any(path.exists() for path in files):
        raise OutputError("The output exists already.", "Choose another name, or add --overwrite.")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder whose files appear in ``target`` when the block ends without an error.

    After any failure, and after one that left no time to tidy up, ``target`` is as it was or holds all files.
    """
    temporary = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(temporary, ignore_errors=True)
    make_folder(temporary)
    try:
        yield temporary
        try:
            if not target.exists():
                temporary.rename(target)
            else:
                for path in sorted(temporary.iterdir()):
                    path.replace(target / path.name)
        except OSError as error:
            raise OutputError(
                "The result cannot be moved to its folder.", "Check its permissions."
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _absolute(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _existing_part(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def require_folder(folder: Path) -> None:
    """Refuse a folder that is none, or may not be written.

    Raises:
        OutputError: It is so.
    """
    if not folder.exists():
        raise OutputError("The folder of the output does not exist.", "Make it first.")
    if not folder.is_dir():
        raise OutputError("The folder of the output is a file.", "Choose another folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("The output may not be written there.", "Choose another folder.")
