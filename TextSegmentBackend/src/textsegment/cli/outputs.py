"""Output options, checked before the work starts so that nothing is overwritten or computed in vain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textsegment.errors import OutputError, SettingsError
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.disk.atomic import make_folder


@dataclass(frozen=True)
class OutputOptions:
    """Outputs of one image.

    Attributes:
        results: File names or folders as typed; a trailing ``/`` marks a folder.
        preview: PNG file for the preview, or None.
        report: JSON file for the machine-readable report, or None.
        page: HTML file for the human-readable report, or None.
        short_names: Whether names in structure sets are limited to 16 characters.
        append_to: Existing structure set that new ones extend, or None.
        replace: Structure set of an earlier run, whose machine-made regions new ones replace, or None.
        presentation: Label, series description and script of names in DICOM objects.
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
    replace: Path | None = None

    @property
    def earlier_set(self) -> Path | None:
        """Existing structure set that is read, to be extended or replaced."""
        return self.append_to or self.replace

    def files(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Return all files that will be written.

        Args:
            names: Names under which the masks are written.

        Raises:
            OutputError: If the suffix of a result is unknown.
        """
        from textsegment.files.images.labelmap import is_table
        from textsegment.files.results import result_files

        results: list[Path] = []
        for path in (path for result in self.results for path in result_files(names, result)):
            # Label maps with the same name in several formats share one table.
            if not (is_table(path) and path in results):
                results.append(path)
        extras = [path for path in (self.preview, self.report, self.page) if path is not None]
        return (*results, *extras)


def require_usable(targets: OutputOptions, *inputs: Path | None) -> None:
    """Check everything that can be checked before the structures are known.

    Args:
        targets: Output options.
        inputs: Files that are read: the image, and others; None is ignored.

    Raises:
        OutputError: If a suffix is unknown, a folder is missing or not writable, two outputs have the same
            name, or an output is also an input.
        SettingsError: If the kind of DICOM segmentation is unknown.
    """
    from textsegment.files.results import is_dicom_output, is_folder, is_structure_set

    if targets.preview is not None and targets.preview.suffix.lower() != ".png":
        raise OutputError("The preview is a PNG picture.", "Give it a name that ends in .png.")
    if targets.page is not None and targets.page.suffix.lower() != ".html":
        raise OutputError("The report is an HTML page.", "Give it a name that ends in .html.")
    if (targets.short_names or targets.earlier_set) and not any(map(is_structure_set, targets.results)):
        raise OutputError(
            "Short names and earlier sets concern structure sets, and there is none among the outputs.",
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
    read = [path for path in (*inputs, targets.earlier_set) if path is not None]
    if any(_absolute(path) in files for path in read):
        raise OutputError("The output is the image itself, or another input.", "Give it another name.")
    for folder in folders:
        require_folder(_existing_part(folder))
    for path in files:
        if path.parent not in folders:
            require_folder(path.parent)


def require_distinct(files: Sequence[Path]) -> None:
    """Refuse outputs that would overwrite each other.

    Raises:
        OutputError: If two outputs have the same name or link to the same file.
    """
    if len({_absolute(path) for path in files}) < len(files):
        raise OutputError("Two outputs have the same name.", "Give each its own.")


def require_absent(files: Sequence[Path]) -> None:
    """Refuse to overwrite existing files.

    Raises:
        OutputError: If one of the files exists.
    """
    if any(path.exists() for path in files):
        raise OutputError("The output exists already.", "Choose another name, or add --overwrite.")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Provide a temporary folder whose files are moved to ``target`` if the block succeeds.

    After a failure, even one without time to clean up, a ``target`` that did not exist is absent or complete.
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
    """Refuse a folder that does not exist, is a file, or is not writable.

    Raises:
        OutputError: If the folder cannot be used.
    """
    if not folder.exists():
        raise OutputError("The folder of the output does not exist.", "Make it first.")
    if not folder.is_dir():
        raise OutputError("The folder of the output is a file.", "Choose another folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("The output may not be written there.", "Choose another folder.")
