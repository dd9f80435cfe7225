"""Export of segments as DICOM objects: RT structure sets, DICOM segmentations.

Masks are read here; the object is written in the Python that runs the engine, as a child process. Slicer's
own Python lacks contourpy, older ones highdicom too, and reading a series takes seconds in which Slicer would
not answer. The masks go through a pipe, so the only file that is ever made is the one that was asked for; the
paths of the images go the same way, since everybody on a computer can read command lines.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from slicer.i18n import tr as _
from textsegment.errors import (
    DependencyMissingError,
    GeometryError,
    InputNotFoundError,
    OutputError,
    TextSegmentError,
)
from textsegment.origin import Maker
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.roi_names import roi_names
from textsegment.wire.failures import ErrorReport
from textsegment.wire.mask_codec import encode_mask

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.child_process import launch
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.export.regions import SegmentRegion, list_regions, take_region
from TextSegmentLib.export.sources import dicom_files, require_there
from TextSegmentLib.scene.volume_node import VolumeSource, read_volume_node

_READER = ("pydicom>=3.0.2", "SimpleITK>=2.4", "scipy>=1.11")
_SAMPLES = 4096


class Format(StrEnum):
    """What can be written; the value is the end of the name of the file."""

    STRUCTURE_SET = ".rtstruct.dcm"
    SEGMENTATION = ".seg.dcm"

    @property
    def requirements(self) -> tuple[str, ...]:
        """Packages that writing it takes."""
        return (*_READER, "contourpy>=1.2" if self is Format.STRUCTURE_SET else "highdicom>=0.26")


@dataclass(frozen=True)
class ExportRequest:
    """What the user wants.

    Attributes:
        format: Of the file.
        path: The file, or the folder for it; see ``file``.
        naming: ``tg263``, ``snomed``, or ``sat`` for the names that the segments have.
        short_names: At most 16 characters a name.
        append_to: A structure set whose regions the new one has too; None for none.
        folder: Where the DICOM images are; None for those in Slicer's database.
    """

    format: Format
    path: Path
    naming: str = "tg263"
    short_names: bool = False
    append_to: Path | None = None
    folder: Path | None = None

    @property
    def file(self) -> Path:
        """The file, with the end that its format has; in a folder it gets a name that says nothing."""
        if self.path.is_dir():
            return self.path / f"TextSegment{self.format}"
        stem = self.path.name
        for end in (*Format, ".dcm"):
            stem = stem.removesuffix(end)
        return self.path.with_name(stem + self.format)


@dataclass(frozen=True)
class ExportResult:
    """What was written: the file, and sentences for the user."""

    file: Path
    warnings: tuple[str, ...]


class PackagesMissingError(DependencyMissingError):
    """The engine's Python lacks what writing takes; ``requirements`` says what."""

    def __init__(self, requirements: Sequence[str]) -> None:
        super().__init__(
            _("The Python of the engine lacks packages: {names}.").format(names=", ".join(requirements)),
            _("Install them."),
        )
        self.requirements = tuple(requirements)


def names_for(regions: Sequence[SegmentRegion], request: ExportRequest) -> tuple[str, ...]:
    """Return the names under which regions are written: their own where a naming has none for them."""
    named = names_of((region.structure for region in regions), request.naming)
    wanted = [region.name for region in regions]
    if request.naming != "sat":
        wanted = [
            region.name if named[region.structure] == region.structure else named[region.structure]
            for region in regions
        ]
    if request.format is Format.SEGMENTATION and not request.short_names:
        return tuple(wanted)
    standard = names_of((region.structure for region in regions), "tg263")
    otherwise = [standard[region.structure] for region in regions]
    return roi_names(wanted, short=request.short_names, otherwise=otherwise)


class Export:
    """One export, in the background from the beginning.

    Args:
        segmentation_node: Holds the segments.
        volume_node: The image that they belong to.
        segment_ids: Which of them.
        wish: What to write.
        interpreter: The Python that writes it.

    Raises:
        OutputError: No structure is chosen, the file is there already, or its folder is not. Nothing is ever
            overwritten.
        InputError: The image was not loaded from DICOM, and no folder is chosen.
        TextSegmentError: The image or a segment cannot be used.
    """

    def __init__(
        self,
        segmentation_node: Any,
        volume_node: Any,
        segment_ids: Collection[str],
        request: ExportRequest,
        interpreter: Interpreter,
    ) -> None:
        regions = [region for region in list_regions(segmentation_node) if region.segment_id in segment_ids]
        _require_writable(regions, request)
        self._volume = read_volume_node(volume_node)
        self._sources = [take_region(segmentation_node, volume_node, region) for region in regions]
        self._request = request
        self._interpreter = interpreter
        self._files = [] if request.folder else dicom_files(volume_node)
        where = (
            {"folder": str(request.folder)}
            if request.folder
            else {"files": [str(file) for file in self._files]}
        )
        order = where | {
            "requirements": request.format.requirements,
            "path": str(request.file),
            "append_to": str(request.append_to) if request.append_to else None,
            "names": dict(zip((r.structure for r in regions), names_for(regions, request), strict=True)),
            "short_names": request.short_names,
        }
        self._notes = (_moved_note(),) if volume_node.GetParentTransformNode() is not None else ()
        self._job = BackgroundTask(lambda _report, _cancel: self._work(order)).start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._job.is_over

    def result(self) -> ExportResult:
        """Return what was written, once it is over.

        Raises:
            PackagesMissingError: The Python lacks packages.
            GeometryError: The DICOM images have another grid than the image.
            TextSegmentError: It failed otherwise.
        """
        return self._job.result()

    def _work(self, order: dict[str, Any]) -> ExportResult:
        require_there(self._files)
        geometry = self._volume.geometry
        edited = {source.region.segment_id for source in self._sources if source.is_edited()}
        masks = [
            _said_whose(source.to_mask(geometry), source.region, source.region.segment_id in edited)
            for source in self._sources
        ]
        for source in self._sources:
            source.require_unchanged()
        order = order | {
            "shape": geometry.spatial_shape,
            "affine": geometry.affine.tolist(),
            "sample": _sample(self._volume),
            "provenance": {"model": _models([source.region for source in self._sources])},
            "makers": [_maker(source.region, edited) for source in self._sources],
            "masks": [(mask.structure, _encoded(mask)) for mask in masks],
        }
        answer = _ask(self._interpreter, order)
        if "missing" in answer:
            raise PackagesMissingError(answer["missing"])
        if "mismatch" in answer:
            raise _mismatch(answer["mismatch"])
        if "error" in answer:
            raise ErrorReport.from_json(answer["error"].encode()).to_error()
        return ExportResult(self._request.file, (*self._notes, *answer["warnings"]))


def _require_writable(regions: Sequence[SegmentRegion], request: ExportRequest) -> None:
    if not regions:
        raise OutputError(_("No structure is chosen."), _("Check at least one in the list."))
    if not request.path.name:
        raise OutputError(_("No file is chosen."), _("Say where the file is to be."))
    if not request.file.parent.is_dir():
        raise OutputError(_("The folder of the file is not there."), _("Choose another one, or make it."))
    if request.file.exists():
        raise OutputError(
            _("There is a file of this name already."), _("Choose another name: nothing is overwritten.")
        )
    if request.append_to is not None and not request.append_to.is_file():
        raise InputNotFoundError(_("There is no structure set to extend."), _("Choose another file."))
    if request.folder is not None and not request.folder.is_dir():
        raise InputNotFoundError(_("There is no such folder of DICOM images."), _("Choose another one."))


def _moved_note() -> str:
    return _(
        "The image is under a transform, which DICOM does not have: structures lie as on the image itself."
    )


def _models(regions: Sequence[SegmentRegion]) -> str:
    return ", ".join(sorted({region.model for region in regions} - {""})) or "none"


def _maker(region: SegmentRegion, edited: Collection[str]) -> str:
    if not region.model:
        return Maker.UNKNOWN.value
    return Maker.EDITED.value if region.segment_id in edited else Maker.MODEL.value


def _said_whose(mask: StructureMask, region: SegmentRegion, is_edited: bool) -> StructureMask:
    """Say in the file what was not found by a model alone, and what was said when it was found."""
    said = ""
    if not region.model:
        said = "Not made by TextSegment: drawn, or of another program."
    elif is_edited:
        said = "Edited by a person."
    return replace(mask, warnings=(*mask.warnings, *filter(None, [said, region.note])))


def _sample(volume: VolumeSource) -> dict[str, Any]:
    """Return some voxels, by which the image is told from others on the same grid."""
    index = np.random.default_rng(0).integers(0, volume.geometry.spatial_shape, (_SAMPLES, 3))
    i, j, k = index.T
    return {"index": index.tolist(), "values": volume.voxels_kji[k, j, i].astype(float).tolist()}


def _encoded(mask: StructureMask) -> str:
    # The code has room for the names of the vocabulary only; those of segments may be longer.
    return base64.b64encode(encode_mask(replace(mask, structure="mask"))).decode()


def _mismatch(reason: str) -> GeometryError:
    if reason == "moved":
        return GeometryError(
            _("The image is not where its DICOM files have it: it was moved, cut or resampled."),
            _("Load the DICOM images again, and put the segmentation on them."),
        )
    hint = _("Choose the folder of the images that were segmented.")
    if reason == "other":
        return GeometryError(
            _("The images in this folder have the same grid, but show something else."), hint
        )
    return GeometryError(_("No series in this folder has the grid of the image."), hint)


def _ask(interpreter: Interpreter, order: dict[str, Any]) -> dict[str, Any]:
    """Run the script in the engine's Python; return its answer."""
    script = str(Path(__file__).with_name("script.py"))
    process = launch([interpreter.executable, script], interpreter.environment(), errors_apart=True)
    # What it prints to the second pipe may quote the files, so nobody keeps it.
    output, _errors = process.communicate(json.dumps(order) + "\n")
    try:
        return json.loads(output.splitlines()[-1])
    except (ValueError, LookupError) as error:
        raise TextSegmentError(
            _("The program that writes DICOM files stopped (exit code {code}).").format(
                code=process.returncode
            ),
            _("Check the Python of the engine, in its section."),
        ) from error
