"""Writing of DICOM RT structure sets: outlines on the images of the scan, for planning systems.

Holes are written as keyholes, as the standard describes for ``CLOSED_PLANAR`` contours (PS3.3 C.8.8.6.3),
because readers that join contours and readers that combine them by exclusive-or agree on these. The file uses
implicit value representations, since contours may exceed the length allowed by explicit ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from textsegment import __version__
from textsegment.ascii_text import in_ascii
from textsegment.caution import Caution, about
from textsegment.errors import GeometryError, NothingFoundError
from textsegment.files.description import LONGEST_DESCRIPTION, description_of
from textsegment.files.dicom.generation import generation_of
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.inherited import now_for
from textsegment.files.dicom.presentation import Presentation, series_number
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import is_declared, text_of
from textsegment.files.disk.atomic import atomic_output
from textsegment.files.rtstruct.extension import copy_to_extend, refer_to_images
from textsegment.files.rtstruct.items import contour_items, observation_item, roi_contour_item, roi_item
from textsegment.files.rtstruct.regions import number_of
from textsegment.files.rtstruct.revision import fingerprint, mark
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.roi_names import roi_names
from textsegment.vocabulary.template import USUAL_STYLE, RegionStyle

_PROGRAM = "TextSegment"
_CUT_OFF = "Reaches the border of the image: perhaps cut off."
_USUAL = Presentation()
# A unit vector with a component this large is within one degree of a patient axis.
_AXIAL = 0.99985
_LARGEST_NUMBER = 2**31 - 1  # largest integer string (VR IS)


def write_rtstruct(
    segmentation: Segmentation,
    source: SourceSeries,
    path: Path | str,
    *,
    names: Mapping[str, str] | None = None,
    short_names: bool = False,
    append_to: Path | str | None = None,
    keep_empty: bool = False,
    presentation: Presentation = _USUAL,
    styles: Mapping[str, RegionStyle] | None = None,
    on_region: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """Write masks as an RT structure set with outlines on the planes of the scan.

    Args:
        segmentation: Masks on the grid of the scan; they may overlap.
        source: Scan, from ``read_dicom``.
        path: File to write.
        names: Names of the regions of interest by structure; structures not listed keep their own name.
        short_names: Whether to limit names to 16 characters.
        append_to: Structure set of the same scan, which is left unchanged; the file written is a new instance
            with all of its regions followed by the new ones.
        keep_empty: Whether to keep structures that were not found, as regions without contours.
        presentation: Label and description of the series, and whether names may be in any script. If not,
            names that are not ASCII are replaced by the TG-263 name or the name of the model.
        styles: How structures are written beyond their names, by structure: color, type, limits of contours.
        on_region: Called with the fingerprint of each region that is added; see ``revision``.

    Returns:
        Messages to show to the user.

    Raises:
        GeometryError: The grid of the segmentation differs from that of the scan.
        NothingFoundError: None of the structures was found.
        OutputError: The scan lacks identifiers, or the file cannot be written.
        DiskFullError: The disk is full.
        InputNotFoundError: The structure set to extend does not exist.
        InputUnreadableError: The structure set to extend is damaged or of another kind.
        InputError: The structure set to extend belongs to another patient, other images or another frame of
            reference.
    """
    if not segmentation.geometry.is_same_grid(source.geometry):
        raise GeometryError("The segmentation has another grid than the scan.", "Segment this scan again.")
    source.require_referable()
    with quiet_pydicom():
        dataset, said = (_new_set(source), ()) if append_to is None else copy_to_extend(append_to, source)
        outlined = []
        for mask in segmentation:
            contours, limited = contour_items(mask, source, (styles or {}).get(mask.structure, USUAL_STYLE))
            outlined.append((mask, contours))
            said += tuple(about(mask.structure, each) for each in limited if contours)
        missing = [mask for mask, contours in outlined if not contours]
        kept = [(mask, contours) for mask, contours in outlined if contours or keep_empty]
        if not kept:
            raise NothingFoundError("None of the structures was found, so there is nothing to write.")
        is_unicode = presentation.unicode_names and is_declared(dataset)
        if is_unicode:
            dataset.SpecificCharacterSet = "ISO_IR 192"
        _describe(dataset, segmentation, source, presentation)
        refer_to_images(dataset, source)
        wanted = [(names or {}).get(mask.structure, mask.structure) for mask, _ in kept]
        unique = roi_names(
            wanted,
            short=short_names,
            taken=[text_of(roi.get("ROIName")) for roi in dataset.StructureSetROISequence],
            otherwise=_standard_names([mask.structure for mask, _ in kept]),
            unicode=is_unicode,
        )
        renamed = [
            f"{old} as {new}"
            for old, new in zip(wanted, unique, strict=True)
            if old != new and not (short_names and old.isascii())
        ]
        for name, (mask, contours) in zip(unique, kept, strict=True):
            style = (styles or {}).get(mask.structure, USUAL_STYLE)
            digest = _add_roi(dataset, name, mask, contours, segmentation, style)
            if on_region is not None:
                on_region(digest)
        with atomic_output(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    if presentation.unicode_names and not is_unicode:
        said = (*said, Caution("names_in_ascii"))
    if not _is_axial(source):
        said = (*said, Caution("not_axial"))
    warnings = (*said, *_warnings(segmentation, source, missing, keep_empty))
    return (*warnings, f"Written under another name: {', '.join(renamed)}.") if renamed else warnings


def _standard_names(structures: Sequence[str]) -> list[str]:
    """Return names in ASCII: those of TG-263, or else of the model."""
    named = names_of(structures, "tg263")
    return [named[structure] for structure in structures]


def _is_axial(source: SourceSeries) -> bool:
    """Whether the images are axial, with rows and columns along the patient axes."""
    plane = source.planes[0].plane
    return all(max(abs(direction[0]), abs(direction[1])) > _AXIAL for direction in (plane.i_lps, plane.j_lps))


def _new_set(source: SourceSeries) -> Dataset:
    dataset = source.patient_and_study()
    dataset.StructureSetLabel = _PROGRAM
    dataset.StructureSetROISequence = []
    dataset.ROIContourSequence = []
    dataset.RTROIObservationsSequence = []
    return dataset


def _describe(
    dataset: Dataset, segmentation: Segmentation, source: SourceSeries, presentation: Presentation
) -> None:
    """Set the attributes of the new instance (SOP common, series, equipment, approval)."""
    now = now_for(dataset)
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = generate_uid(prefix=None)
    dataset.SeriesInstanceUID = generate_uid(prefix=None)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceCreationDate = dataset.SeriesDate = dataset.StructureSetDate = date
    dataset.InstanceCreationTime = dataset.SeriesTime = dataset.StructureSetTime = time
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesDescription = (
        presentation.series_description or f"{_PROGRAM} contours: machine-made, unapproved"
    )
    if presentation.label is not None:
        dataset.StructureSetLabel = presentation.label
    dataset.SeriesNumber, dataset.InstanceNumber = series_number(source, "RTSTRUCT"), 1
    dataset.OperatorsName = ""
    dataset.Manufacturer = dataset.ManufacturerModelName = _PROGRAM
    dataset.SoftwareVersions = __version__
    dataset.FrameOfReferenceUID = source.frame_of_reference_uid
    dataset.PositionReferenceIndicator = source.datasets[0].get("PositionReferenceIndicator") or ""
    made = "Extended" if dataset.StructureSetROISequence else "Made"
    algorithm = _algorithm(segmentation)
    dataset.StructureSetDescription = f"{made} by a machine, to be checked by a person: {algorithm}"
    dataset.ApprovalStatus = "UNAPPROVED"


def _algorithm(segmentation: Segmentation) -> str:
    words = [_PROGRAM, __version__, str(segmentation.provenance.get("model", ""))]
    return _plain(" ".join(word for word in words if word), 64)


def _add_roi(
    dataset: Dataset,
    name: str,
    mask: StructureMask,
    contours: list[Dataset],
    segmentation: Segmentation,
    style: RegionStyle,
) -> str:
    """Add a region; returns its fingerprint."""
    regions, observations = dataset.StructureSetROISequence, dataset.RTROIObservationsSequence
    # Contours by other programs may refer to a region that does not exist.
    used = [number_of(roi, "ROINumber") for roi in regions]
    used += [number_of(item, "ReferencedROINumber") for item in dataset.ROIContourSequence]
    number = _new_number(used)
    observation = _new_number(number_of(item, "ObservationNumber") for item in observations)
    remarks = [_CUT_OFF] if mask.statistics.touches_border else []
    description = _plain(description_of(mask, segmentation.provenance, *remarks), LONGEST_DESCRIPTION)
    frame = dataset.FrameOfReferenceUID
    generation = generation_of(mask.origin)
    algorithm = _algorithm(segmentation) if generation else ""
    region = roi_item(number, name, frame, description, generation, algorithm)
    outlines = roi_contour_item(number, mask.structure, contours, style)
    digest = fingerprint(region, outlines)
    if generation == "AUTOMATIC":
        mark(region, digest)
    regions.append(region)
    dataset.ROIContourSequence.append(outlines)
    observations.append(observation_item(observation, number, mask, name, style))
    return digest


def _new_number(used: Iterable[int | None]) -> int:
    """Return the number after the largest, or the first free one if DICOM cannot represent that."""
    numbers = {0, *(number for number in used if number is not None)}
    behind = max(numbers) + 1
    return behind if behind <= _LARGEST_NUMBER else next(n for n in count(1) if n not in numbers)


def _plain(text: str, longest: int) -> str:
    # Every DICOM character set contains ASCII; a backslash would separate two values.
    return in_ascii(text, {"\\": "/"})[:longest]


def _warnings(
    segmentation: Segmentation, source: SourceSeries, missing: list[StructureMask], keep_empty: bool
) -> tuple[str, ...]:
    found = []
    what = "kept without contours in" if keep_empty else "left out of"
    for there, reason in (
        (False, "Not found in this image"),
        (True, "Between the images of the series only"),
    ):
        if names := ", ".join(mask.structure for mask in missing if mask.mask.any() == there):
            found.append(f"{reason}, so {what} the structure set: {names}.")
    if len(source.planes) != segmentation.geometry.spatial_shape[2]:
        found.append("The series lacks slices or is unevenly spaced: contours lie on its own images only.")
    return tuple(found)
