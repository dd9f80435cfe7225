"""DICOM segmentations (PS3.3 A.51) of a DICOM scan, through highdicom.

The masks are written on the planes of the scan, one bit a pixel, each structure for itself, so that they may
overlap. highdicom makes the object and its modules; the frames are added here, since it wants all masks of
all structures in one array.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

import textsegment
from textsegment.errors import GeometryError, OutputError
from textsegment.files.atomic import atomic_output
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.inherited import inherited_from, now_for
from textsegment.files.dicom.presentation import Presentation, series_number
from textsegment.files.dicom.source import SourcePlane, SourceSeries
from textsegment.files.dicom.values import is_declared
from textsegment.files.dicom_seg.segment import describe_segment
from textsegment.files.images.raw_image import LPS_TO_RAS
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.roi_names import roi_names

_DESCRIPTION = "machine-made, unapproved"
_USUAL = Presentation()
# A long string of DICOM (VR LO).
_LONGEST_LABEL = 64
# Two places along the third axis that are nearer than this fraction of a voxel are the same.
_SAME_PLACE = 1e-3
_SAME_GRID_MM = 1e-3


def write_dicom_seg(
    segmentation: Segmentation,
    source: SourceSeries,
    path: Path | str,
    *,
    names: Mapping[str, str] | None = None,
    presentation: Presentation = _USUAL,
) -> tuple[str, ...]:
    """Write all masks that are not empty as one DICOM segmentation that refers to the scan.

    Args:
        segmentation: Masks on the grid of the scan; they may overlap.
        source: The scan: patient, study and frame of reference are taken from it.
        path: Ends in ``.dcm``.
        names: Labels of the segments by structure; other structures keep their own name.
        presentation: Label and description of the series.

    Returns:
        Sentences that the user should see: which structures were left out.

    Raises:
        GeometryError: The segmentation has another grid than the scan.
        OutputError: Nothing was found, the scan lacks identifiers, or the file cannot be written.
        DiskFullError: There is no room.
    """
    source.require_referable()
    _require_grid_of(segmentation, source)
    found = [mask for mask in segmentation if not mask.statistics.is_empty]
    if not found:
        raise OutputError("None of the structures was found, so there is nothing to write.")
    with quiet_pydicom():
        dataset = _without_frames(found, segmentation, source, names or {}, presentation)
        _add_patient_and_study(dataset, source)
        _refer_to_images(dataset, source)
        _add_frames(dataset, found, source)
        with atomic_output(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    empty = [mask.structure for mask in segmentation if mask.statistics.is_empty]
    return (f"Not found, so not in the DICOM segmentation: {', '.join(empty)}.",) if empty else ()


def _require_grid_of(segmentation: Segmentation, source: SourceSeries) -> None:
    ours, theirs = segmentation.geometry, source.geometry
    same_shape = ours.spatial_shape == theirs.spatial_shape
    # Not exactly: an application may have turned the grid to LPS and back.
    if not same_shape or not np.allclose(ours.affine, theirs.affine, rtol=0, atol=_SAME_GRID_MM):
        raise GeometryError("The segmentation has another grid than the scan.", "Segment this scan again.")


def _without_frames(
    found: Sequence[StructureMask],
    segmentation: Segmentation,
    source: SourceSeries,
    names: Mapping[str, str],
    presentation: Presentation,
) -> Dataset:
    """Make the object with all its modules, and one plane of zeros in the place of frames."""
    columns, rows, _ = source.geometry.spatial_shape
    first = source.planes[0].plane
    plane = np.zeros((1, rows, columns, len(found)), dtype=np.uint8)
    model = str(segmentation.provenance.get("model", "unknown"))
    labels = _labels([names.get(mask.structure, mask.structure) for mask in found])
    if not _is_unicode(source):
        standard = names_of([mask.structure for mask in found], "tg263")
        labels = list(roi_names(labels, otherwise=[standard[mask.structure] for mask in found]))
    return hd.seg.Segmentation(
        source_images=[_plain_image(source)],
        pixel_array=plane,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            describe_segment(number, mask, label, segmentation.provenance)
            for number, (mask, label) in enumerate(zip(found, labels, strict=True), start=1)
        ],
        series_instance_uid=generate_uid(prefix=None),
        series_number=series_number(source, "SEG"),
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer="TextSegment",
        manufacturer_model_name=model[:64],
        software_versions=textsegment.__version__,
        device_serial_number="1",
        content_label=presentation.content_label,
        content_description=presentation.label or _DESCRIPTION,
        content_creator_name="",  # of type 2: there, though no person made it
        series_description=presentation.series_description or f"TextSegment masks: {_DESCRIPTION}",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        # Names of structures may be in any script.
        specific_character_set="ISO_IR 192",
        pixel_measures=_pixel_measures(source),
        plane_orientation=hd.PlaneOrientationSequence("PATIENT", [*first.i_lps, *first.j_lps]),
        plane_positions=[hd.PlanePositionSequence("PATIENT", first.position_lps)],
        omit_empty_frames=False,
    )


def _plain_image(source: SourceSeries) -> Dataset:
    """Return the header of an image with one plane: highdicom wants no more, and asks too much of real ones.

    For example that all images have the same orientation to the last digit, say how thick they are, and hold
    dates that are dates.
    """
    first = source.planes[0].plane
    image = Dataset()
    for element in inherited_from(Dataset()):
        setattr(image, element.keyword, "")
    image.StudyInstanceUID = source.study_instance_uid
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = generate_uid(prefix=None)
    image.SeriesInstanceUID = source.series_instance_uid
    image.FrameOfReferenceUID = source.frame_of_reference_uid
    image.PositionReferenceIndicator = source.datasets[0].get("PositionReferenceIndicator") or ""
    image.Columns, image.Rows = first.shape
    image.ImagePositionPatient = [float(value) for value in first.position_lps]
    image.ImageOrientationPatient = [float(value) for value in (*first.i_lps, *first.j_lps)]
    image.PixelSpacing = [first.spacing[1], first.spacing[0]]
    image.SliceThickness = first.thickness
    return image


def _add_patient_and_study(dataset: Dataset, source: SourceSeries) -> None:
    inherited = source.patient_and_study()
    declared = inherited.pop("SpecificCharacterSet", None)
    if not _is_unicode(source):
        # As they are, in whatever set that is: it is known to those who gave the scan.
        dataset.pop("SpecificCharacterSet", None)
        if declared is not None:
            dataset[declared.tag] = declared
    dataset.update(inherited)
    dataset.update(source.compression())
    now = now_for(inherited)
    for keyword in ("InstanceCreation", "Content", "Series"):
        if f"{keyword}Date" in dataset:
            setattr(dataset, f"{keyword}Date", now.strftime("%Y%m%d"))
            setattr(dataset, f"{keyword}Time", now.strftime("%H%M%S"))


def _is_unicode(source: SourceSeries) -> bool:
    """Whether the texts of the scan can be written in Unicode, and so names in any script beside them."""
    return is_declared(source.patient_and_study())


def _refer_to_images(dataset: Dataset, source: SourceSeries) -> None:
    """Name the images of the scan (PS3.3 C.7.6.1 and C.12.2)."""
    images = []
    for header in source.datasets:
        image = Dataset()
        image.ReferencedSOPClassUID = header.SOPClassUID
        image.ReferencedSOPInstanceUID = header.SOPInstanceUID
        images.append(image)
    series = Dataset()
    series.SeriesInstanceUID = source.series_instance_uid
    series.ReferencedInstanceSequence = images
    dataset.SourceImageSequence = images
    dataset.ReferencedSeriesSequence = [series]


def _labels(wanted: Sequence[str]) -> list[str]:
    """Return the names as labels that DICOM can hold, and all different."""
    labels: list[str] = []
    for name in map(_one_value, wanted):
        label, number = name[:_LONGEST_LABEL], 1
        while label in labels:
            number += 1
            end = f" ({number})"
            label = name[: _LONGEST_LABEL - len(end)] + end
        labels.append(label)
    return labels


def _one_value(name: str) -> str:
    # A backslash would separate two values.
    printable = "".join(c if c.isprintable() else " " for c in name.replace("\\", "/"))
    return " ".join(printable.split()) or "Segment"


def _pixel_measures(source: SourceSeries) -> hd.PixelMeasuresSequence:
    first = source.planes[0].plane
    between_columns, between_rows = first.spacing
    normal = np.cross(first.i_lps, first.j_lps)
    # Along the normal, as DICOM wants it, also if the grid is sheared.
    distance = abs(float(normal @ (LPS_TO_RAS[:3, :3] @ source.geometry.affine[:3, 2])))
    return hd.PixelMeasuresSequence(
        pixel_spacing=(between_rows, between_columns),
        slice_thickness=first.thickness or distance,
        spacing_between_slices=distance,
    )


def _add_frames(dataset: Dataset, found: Sequence[StructureMask], source: SourceSeries) -> None:
    """Replace the plane of zeros by one frame for each structure in each plane where it is."""
    places = [
        (number, mask, k)
        for number, mask in enumerate(found, start=1)
        for k in range(mask.box.start[2], mask.box.stop[2])
        if mask.mask[:, :, k - mask.box.start[2]].any()
    ]
    used = {k: rank for rank, k in enumerate(sorted({k for _, _, k in places}), start=1)}
    planes = {k: _plane_groups(source, k) for k in used}
    frames = []
    for number, _, k in places:
        frame = Dataset()
        frame.FrameContentSequence = [Dataset()]
        frame.FrameContentSequence[0].DimensionIndexValues = [number, used[k]]
        frame.SegmentIdentificationSequence = [Dataset()]
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber = number
        frame.update(planes[k])
        frames.append(frame)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    # highdicom saw one plane, and perhaps one segment: it took other distances, and named the segment here.
    shared.PixelMeasuresSequence = _pixel_measures(source)
    shared.pop("SegmentIdentificationSequence", None)
    dataset.pop("DimensionOrganizationType", None)
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.NumberOfFrames = len(frames)
    dataset.SegmentsOverlap = "YES" if _overlap(found) else "NO"
    dataset.PixelData = _packed(_frame(mask, k, source.geometry) for _, mask, k in places)


def _plane_groups(source: SourceSeries, k: int) -> Dataset:
    """Return where plane k lies, and of which image of the scan it was made."""
    groups = Dataset()
    at = next((plane for plane in source.planes if abs(plane.place - k) < _SAME_PLACE), None)
    position_ras = source.geometry.to_ras([0, 0, k])
    position_lps = LPS_TO_RAS[:3, :3] @ position_ras if at is None else at.plane.position_lps
    groups.PlanePositionSequence = hd.PlanePositionSequence("PATIENT", position_lps)
    if at is not None:
        groups.DerivationImageSequence = [_derivation(at)]
    return groups


def _derivation(plane: SourcePlane) -> Dataset:
    image = Dataset()
    image.ReferencedSOPClassUID = plane.sop_class_uid
    image.ReferencedSOPInstanceUID = plane.sop_instance_uid
    if plane.frame_number is not None:
        image.ReferencedFrameNumber = plane.frame_number
    image.PurposeOfReferenceCodeSequence = [
        hd.sr.CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    ]
    image.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.DerivationCodeSequence = [
        hd.sr.CodedConcept.from_code(codes.cid7203.SegmentationImageDerivation)
    ]
    derivation.SourceImageSequence = [image]
    return derivation


def _overlap(found: Sequence[StructureMask]) -> bool:
    for one, other in itertools.combinations(found, 2):
        start = [max(a, b) for a, b in zip(one.box.start, other.box.start, strict=True)]
        stop = [min(a, b) for a, b in zip(one.box.stop, other.box.stop, strict=True)]
        if all(a < b for a, b in zip(start, stop, strict=True)):
            first, second = (
                mask.mask[
                    tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, mask.box.start, strict=True))
                ]
                for mask in (one, other)
            )
            if (first & second).any():
                return True
    return False


def _frame(mask: StructureMask, k: int, geometry: Geometry) -> NDArray[np.bool_]:
    """Return one plane of a mask, bool ``[row, column]``."""
    columns, rows, _ = geometry.spatial_shape
    frame = np.zeros((rows, columns), dtype=bool)
    i, j, _ = mask.box.slices
    frame[j, i] = mask.mask[:, :, k - mask.box.start[2]].T
    return frame


def _packed(frames: Iterator[NDArray[np.bool_]]) -> bytes:
    """Return the pixels of all frames, eight to a byte, the first in the lowest bit, without gaps."""
    rest = np.empty(0, dtype=bool)
    pieces = []
    for frame in frames:
        bits = np.concatenate([rest, frame.ravel()])
        whole = len(bits) // 8 * 8
        pieces.append(np.packbits(bits[:whole], bitorder="little").tobytes())
        rest = bits[whole:]
    data = b"".join([*pieces, np.packbits(rest, bitorder="little").tobytes()])
    return data + b"\0" * (len(data) % 2)
