"""Writing of DICOM segmentations (PS3.3 A.51) of a DICOM scan with highdicom.

Masks are written on the planes of the scan. highdicom creates the object and its modules; ``frames`` adds the
frames, because highdicom needs all masks of all structures in one array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

import textsegment
from textsegment.errors import GeometryError, NothingFoundError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.inherited import inherited_from, now_for
from textsegment.files.dicom.presentation import Presentation, series_number
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import is_declared
from textsegment.files.dicom_seg.frames import add_bit_frames, add_label_frames, choose_type, pixel_measures
from textsegment.files.dicom_seg.segment import describe_segment
from textsegment.files.disk.atomic import atomic_output
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.roi_names import roi_names
from textsegment.vocabulary.template import USUAL_STYLE, RegionStyle

_DESCRIPTION = "machine-made, unapproved"
_LABELMAP = (
    "The DICOM segmentation is large, so it is a label map, which viewers from before 2025 may not read."
)
_USUAL = Presentation()
# Maximum length of a DICOM long string (VR LO).
_LONGEST_LABEL = 64


def write_dicom_seg(
    segmentation: Segmentation,
    source: SourceSeries,
    path: Path | str,
    *,
    names: Mapping[str, str] | None = None,
    presentation: Presentation = _USUAL,
    segmentation_type: str = "auto",
    styles: Mapping[str, RegionStyle] | None = None,
) -> tuple[str, ...]:
    """Write all non-empty masks as one DICOM segmentation that refers to the scan.

    Args:
        segmentation: Masks on the grid of the scan; they may overlap.
        source: Scan from which patient, study and frame of reference are taken.
        path: File to write, ending in ``.dcm``.
        names: Segment labels by structure; structures not listed keep their own name.
        presentation: Label and description of the series.
        segmentation_type: ``binary`` for one bit per voxel and structure, so that structures may overlap;
            ``labelmap`` for one number per voxel, compressed; ``auto`` for binary up to 32 MB, and beyond
            that a label map if nothing overlaps. Larger binary segmentations are deflated.
        styles: Colors of segments by structure; structures not listed have the usual ones.

    Returns:
        Messages to show to the user: which structures were left out, and whether it is a label map.

    Raises:
        GeometryError: The grid of the segmentation differs from that of the scan.
        SettingsError: The segmentation type is unknown.
        OverlapError: A label map is wanted, but structures overlap.
        NothingFoundError: None of the structures was found.
        OutputError: The scan lacks identifiers, or the file cannot be written.
        DiskFullError: The disk is full.
    """
    source.require_referable()
    _require_grid_of(segmentation, source)
    found = [mask for mask in segmentation if not mask.statistics.is_empty]
    if not found:
        raise NothingFoundError("None of the structures was found, so there is nothing to write.")
    kind = choose_type(segmentation_type, found, segmentation.geometry)
    with quiet_pydicom():
        dataset = _without_frames(kind, found, segmentation, source, names or {}, presentation, styles or {})
        _add_patient_and_study(dataset, source)
        _refer_to_images(dataset, source)
        add_frames = add_label_frames if kind == "LABELMAP" else add_bit_frames
        add_frames(dataset, found, source)
        with atomic_output(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    empty = [mask.structure for mask in segmentation if mask.statistics.is_empty]
    said = [f"Not found, so not in the DICOM segmentation: {', '.join(empty)}."] if empty else []
    if kind == "LABELMAP" and segmentation_type == "auto":
        said.append(_LABELMAP)
    return tuple(said)


def _require_grid_of(segmentation: Segmentation, source: SourceSeries) -> None:
    if not segmentation.geometry.is_same_grid(source.geometry):
        raise GeometryError("The segmentation has another grid than the scan.", "Segment this scan again.")


def _without_frames(
    kind: str,
    found: Sequence[StructureMask],
    segmentation: Segmentation,
    source: SourceSeries,
    names: Mapping[str, str],
    presentation: Presentation,
    styles: Mapping[str, RegionStyle],
) -> Dataset:
    """Create the object with all its modules, and one frame of zeros as a placeholder."""
    columns, rows, _ = source.geometry.spatial_shape
    first = source.planes[0].plane
    plane = np.zeros((1, rows, columns, len(found))[: 3 if kind == "LABELMAP" else 4], dtype=np.uint8)
    model = str(segmentation.provenance.get("model", "unknown"))
    labels = _labels([names.get(mask.structure, mask.structure) for mask in found])
    if not _is_unicode(source):
        standard = names_of([mask.structure for mask in found], "tg263")
        labels = list(roi_names(labels, otherwise=[standard[mask.structure] for mask in found]))
    return hd.seg.Segmentation(
        source_images=[_plain_image(source)],
        pixel_array=plane,
        segmentation_type=hd.seg.SegmentationTypeValues(kind),
        segment_descriptions=[
            describe_segment(
                number, mask, label, segmentation.provenance, styles.get(mask.structure, USUAL_STYLE)
            )
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
        content_creator_name="",  # of type 2: must be present, although no person made it
        series_description=presentation.series_description or f"TextSegment masks: {_DESCRIPTION}",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        # Names of structures may be in any script.
        specific_character_set="ISO_IR 192",
        pixel_measures=pixel_measures(source),
        plane_orientation=hd.PlaneOrientationSequence("PATIENT", [*first.i_lps, *first.j_lps]),
        plane_positions=[hd.PlanePositionSequence("PATIENT", first.position_lps)],
        omit_empty_frames=False,
    )


def _plain_image(source: SourceSeries) -> Dataset:
    """Return the header of a minimal one-plane image, because highdicom rejects many real ones.

    For example, it requires that all images have exactly the same orientation, state their thickness, and
    contain valid dates.
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
        # Texts are copied in their original encoding, which whoever provided the scan knows how to read.
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
    """Whether the texts of the scan can be converted to Unicode, which allows names in any script."""
    return is_declared(source.patient_and_study())


def _refer_to_images(dataset: Dataset, source: SourceSeries) -> None:
    """Add references to the images of the scan (PS3.3 C.7.6.1 and C.12.2)."""
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
    """Return the names as distinct labels that are valid in DICOM."""
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
