"""Export of segments as DICOM objects: RT structure sets and DICOM segmentations.

The masks are read here; the object is written in the Python that runs the engine, see ``writer``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from slicer.i18n import tr as _
from textsegment.errors import InputNotFoundError, OutputError, TextSegmentError
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.templates import template_text
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.roi_names import roi_names
from textsegment.vocabulary.template import Template
from textsegment.wire.export_order import ExportOrder, VoxelSample

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.requirements import requirements_named
from TextSegmentLib.export.destinations import Destination
from TextSegmentLib.export.regions import RegionSource, SegmentRegion, list_regions, take_region
from TextSegmentLib.export.sending import send
from TextSegmentLib.export.sources import dicom_files, require_there
from TextSegmentLib.export.writer import write
from TextSegmentLib.scene.segment.content import Content
from TextSegmentLib.scene.volume_node import VolumeSource, read_volume_node

_READER = ("pydicom", "SimpleITK", "scipy")
_SAMPLES = 4096


class Format(StrEnum):
    """Format of a DICOM object; the value is the file name extension."""

    STRUCTURE_SET = ".rtstruct.dcm"
    SEGMENTATION = ".seg.dcm"

    @property
    def requirements(self) -> tuple[str, ...]:
        """Requirements of the packages that write this format."""
        return requirements_named(*_READER, "contourpy" if self is Format.STRUCTURE_SET else "highdicom")


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and how.

    Attributes:
        format: Format of the file.
        path: File, or folder for it; see ``file``.
        naming: ``tg263``, ``snomed``, or ``sat`` for the names that the segments have.
        short_names: Whether to limit names to 16 characters.
        append_to: Structure set whose regions are copied into the new one; None for none.
        folder: Folder with the DICOM images; None to use those in Slicer's database.
        template: Set of a site, by which structures are named, finished and colored, and others derived; None
            for none. It takes precedence over ``naming``.
        destination: System to which the object is sent; None to write a file only. Without a path, the file
            is removed once it has been sent.
    """

    format: Format
    path: Path
    naming: str = "tg263"
    short_names: bool = False
    append_to: Path | None = None
    folder: Path | None = None
    template: Template | None = None
    destination: Destination | None = None

    @property
    def is_sent_only(self) -> bool:
        """Whether no file is to be left behind."""
        return self.destination is not None and not self.path.name

    @property
    def file(self) -> Path:
        """Path of the file, with the extension of its format; in a folder it gets a neutral name."""
        if self.path.is_dir():
            return self.path / f"TextSegment{self.format}"
        stem = self.path.name
        for end in (*Format, ".dcm"):
            stem = stem.removesuffix(end)
        return self.path.with_name(stem + self.format)


@dataclass(frozen=True)
class ExportResult:
    """Outcome of an export.

    Attributes:
        file: File that was written; None if the object was sent only.
        warnings: Warnings for the user.
        sent_to: Name of the system that has taken the object; empty if none was to.
        not_sent: Why the object could not be sent although the file was written; None if all went well.
    """

    file: Path | None
    warnings: tuple[str, ...]
    sent_to: str = ""
    not_sent: TextSegmentError | None = None


def names_for(regions: Sequence[SegmentRegion], request: ExportRequest) -> tuple[str, ...]:
    """Return the names to write the regions under; a region keeps its own name if the naming has none."""
    named = names_of((region.structure for region in regions), request.naming)
    wanted = [region.name for region in regions]
    if request.naming != "sat":
        wanted = [
            region.name if named[region.structure] == region.structure else named[region.structure]
            for region in regions
        ]
    if request.template is not None:
        own = {
            entry.prompts[0]: entry.output for entry in request.template.entries if len(entry.prompts) == 1
        }
        wanted = [own.get(region.structure, name) for region, name in zip(regions, wanted, strict=True)]
    if request.format is Format.SEGMENTATION and not request.short_names:
        return tuple(wanted)
    standard = names_of((region.structure for region in regions), "tg263")
    otherwise = [standard[region.structure] for region in regions]
    return roi_names(wanted, short=request.short_names, otherwise=otherwise)


class Export:
    """An export, which starts in the background as soon as it is created.

    Args:
        segmentation_node: Segmentation that holds the segments.
        volume_node: Volume that they belong to.
        segment_ids: Identifiers of the segments to export.
        request: What to write, and how.
        interpreter: Python that writes the object.

    Raises:
        OutputError: No structure is chosen, the file already exists (nothing is ever overwritten), or its
            folder does not exist.
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
        self._names = dict(zip((r.structure for r in regions), names_for(regions, request), strict=True))
        self._notes = (_moved_note(),) if volume_node.GetParentTransformNode() is not None else ()
        self._task = BackgroundTask(lambda _report, _cancel: self._work()).start()

    @property
    def is_over(self) -> bool:
        """Whether the export has ended, successfully or not."""
        return self._task.is_over

    def result(self) -> ExportResult:
        """Return the outcome, once the export is over.

        Raises:
            PackagesMissingError: The interpreter lacks packages.
            GeometryError: The DICOM images are not those of the volume.
            TextSegmentError: The export failed for another reason.
        """
        return self._task.result()

    def _work(self) -> ExportResult:
        require_there(self._files)
        request, destination = self._request, self._request.destination
        if destination is None:
            return ExportResult(request.file, self._write(request.file))
        if request.is_sent_only:
            with TemporaryDirectory(prefix="textsegment-") as folder:
                file = Path(folder) / f"TextSegment{request.format}"
                warnings = self._write(file)
                send(file, destination, self._interpreter)
            return ExportResult(None, warnings, destination.name)
        warnings = self._write(request.file)
        try:
            send(request.file, destination, self._interpreter)
        except TextSegmentError as error:
            return ExportResult(request.file, warnings, not_sent=error)
        return ExportResult(request.file, warnings, destination.name)

    def _write(self, file: Path) -> tuple[str, ...]:
        """Write the object to a file; returns warnings."""
        request = self._request
        order = ExportOrder(
            segmentation=self._segmentation(),
            sample=_sample(self._volume),
            images=(str(request.folder),) if request.folder else tuple(map(str, self._files)),
            path=str(file),
            names=self._names,
            short_names=request.short_names,
            append_to=str(request.append_to) if request.append_to else None,
            template="" if request.template is None else template_text(request.template),
        )
        return (*self._notes, *write(order, request.format.requirements, self._interpreter))

    def _segmentation(self) -> Segmentation:
        """Return the masks of the segments, each with its origin."""
        geometry = self._volume.geometry
        masks = []
        for source in self._sources:
            maker = _maker(source)
            mask = _said_whose(source.to_mask(geometry), source.region, maker)
            masks.append(replace(mask, origin=Origin(maker)))
        for source in self._sources:
            source.require_unchanged()
        models = sorted({source.region.model for source in self._sources} - {""})
        return Segmentation(geometry, tuple(masks), {"model": ", ".join(models) or "none"})


def _require_writable(regions: Sequence[SegmentRegion], request: ExportRequest) -> None:
    if not regions:
        raise OutputError(_("No structure is chosen."), _("Check at least one in the list."))
    if not request.path.name and request.destination is None:
        raise OutputError(_("No file is chosen."), _("Say where the file is to be."))
    if not request.is_sent_only:
        _require_free(request)
    if request.append_to is not None and not request.append_to.is_file():
        raise InputNotFoundError(_("There is no structure set to extend."), _("Choose another file."))
    if request.folder is not None and not request.folder.is_dir():
        raise InputNotFoundError(_("There is no such folder of DICOM images."), _("Choose another one."))


def _require_free(request: ExportRequest) -> None:
    if not request.file.parent.is_dir():
        raise OutputError(_("The folder of the file is not there."), _("Choose another one, or make it."))
    if request.file.exists():
        raise OutputError(
            _("There is a file of this name already."), _("Choose another name: nothing is overwritten.")
        )


def _moved_note() -> str:
    return _(
        "The image is under a transform, which DICOM does not have: structures lie as on the image itself."
    )


def _maker(source: RegionSource) -> Maker:
    """Return who made a segment; slow, so call it in a worker."""
    region = source.region
    if not region.model:
        return Maker.UNKNOWN
    try:
        original = Content.from_text(region.original)
    except ValueError:  # unknown original: assume an edit
        return Maker.EDITED
    return Maker.EDITED if region.is_corrected or source.is_edited(original) else Maker.MODEL


def _said_whose(mask: StructureMask, region: SegmentRegion, maker: Maker) -> StructureMask:
    """Add warnings to a mask: that it was not made by a model alone, and what was said when it was made."""
    said = {
        Maker.UNKNOWN: "Not made by TextSegment: drawn, or of another program.",
        Maker.EDITED: "Edited by a person.",
        Maker.MODEL: "",
    }[maker]
    doubt = region.doubt.caution if maker is Maker.MODEL else None
    return replace(mask, warnings=(*mask.warnings, *filter(None, [said, doubt, region.note])))


def _sample(volume: VolumeSource) -> VoxelSample:
    """Return a sample of voxels that distinguishes the image from others on the same grid."""
    index = np.random.default_rng(0).integers(0, volume.geometry.spatial_shape, (_SAMPLES, 3))
    i, j, k = index.T
    return VoxelSample(index, volume.voxels_kji[k, j, i].astype(float))
