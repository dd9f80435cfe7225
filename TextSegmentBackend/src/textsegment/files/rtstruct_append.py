"""Extending a structure set: its regions stay as they are, in a new instance beside new ones."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError
from textsegment.files.dicom_source import SourceSeries
from textsegment.files.rtstruct_items import image_reference

# The class that the standard has for references to a study here; it was retired, and is needed all the same.
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
_DAMAGE = (
    InvalidDicomError, OSError, EOFError, ValueError, TypeError, LookupError, AttributeError,
    NotImplementedError, OverflowError, struct.error, BytesLengthException,
)  # fmt: skip


def copy_to_extend(path: Path | str, source: SourceSeries) -> Dataset:
    """Read a structure set that shall be extended, and turn it into a successor of itself.

    Raises:
        InputNotFoundError: There is no such file.
        InputUnreadableError: It is no structure set, or damaged.
        InputError: It belongs to another frame of reference or patient.
    """
    dataset = read_structure_set(path)
    frames = {str(item.get("FrameOfReferenceUID", "")) for item in _frames(dataset)}
    frames |= {str(roi.get("ReferencedFrameOfReferenceUID", "")) for roi in dataset.StructureSetROISequence}
    if source.frame_of_reference_uid not in frames:
        raise InputError(
            "The structure set belongs to another frame of reference than the scan.",
            "Give the structure set of this scan, or write a new one.",
        )
    patients = {str(d.get("PatientID") or "") for d in (dataset, source.datasets[0])} - {""}
    if len(patients) > 1:
        raise InputError("The structure set belongs to another patient.", "Give the one of this scan.")
    predecessor = Dataset()
    predecessor.ReferencedSOPClassUID = dataset.SOPClassUID
    predecessor.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PredecessorStructureSetSequence = [predecessor]
    for keyword in ("ReviewDate", "ReviewTime", "ReviewerName"):
        if keyword in dataset:
            del dataset[keyword]
    return dataset


def read_structure_set(path: Path | str) -> Dataset:
    """Read a structure set; the sequences of its regions are there, perhaps empty.

    Raises:
        InputNotFoundError: There is no such file.
        InputUnreadableError: It is no structure set, or damaged.
    """
    if not Path(path).is_file():
        raise InputNotFoundError("There is no such structure set.", "Check the path.")
    try:
        dataset = pydicom.dcmread(path)
        if dataset.get("SOPClassUID") != RTStructureSetStorage:
            raise InputUnreadableError("The file is no structure set (RTSTRUCT).", "Choose another file.")
        # pydicom converts values when they are first asked for: damage shall show here.
        for _ in dataset.iterall():
            pass
        for keyword in ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence"):
            if keyword not in dataset:
                setattr(dataset, keyword, [])
        _ = [int(roi.ROINumber) for roi in dataset.StructureSetROISequence]
        _ = [int(item.ObservationNumber) for item in dataset.RTROIObservationsSequence]
    except _DAMAGE as error:
        raise InputUnreadableError(
            "The structure set is damaged, or no DICOM file.", "Copy it again."
        ) from error
    return dataset


def refer_to_images(dataset: Dataset, source: SourceSeries) -> None:
    """Name study, series and images of the scan (Referenced Frame of Reference Sequence)."""
    if "ReferencedFrameOfReferenceSequence" not in dataset:
        dataset.ReferencedFrameOfReferenceSequence = []
    frame = _item_with(
        dataset, "ReferencedFrameOfReferenceSequence", "FrameOfReferenceUID", source.frame_of_reference_uid
    )
    study = _item_with(
        frame, "RTReferencedStudySequence", "ReferencedSOPInstanceUID", source.study_instance_uid
    )
    if "ReferencedSOPClassUID" not in study:
        study.ReferencedSOPClassUID = _DETACHED_STUDY
    series = _item_with(study, "RTReferencedSeriesSequence", "SeriesInstanceUID", source.series_instance_uid)
    if "ContourImageSequence" not in series:
        series.ContourImageSequence = []
    images = series.ContourImageSequence
    named = {str(image.get("ReferencedSOPInstanceUID", "")) for image in images}
    for plane in source.planes:
        if plane.sop_instance_uid not in named:
            named.add(plane.sop_instance_uid)
            image = image_reference(plane)
            if "ReferencedFrameNumber" in image:
                del image.ReferencedFrameNumber  # all of its frames
            images.append(image)


def _frames(dataset: Dataset) -> list[Dataset]:
    return list(dataset.get("ReferencedFrameOfReferenceSequence") or [])


def _item_with(parent: Dataset, sequence: str, keyword: str, value: str) -> Dataset:
    """Return the item of a sequence that has a value, added if there is none."""
    if sequence not in parent:
        setattr(parent, sequence, [])
    for item in parent[sequence]:
        if item.get(keyword) == value:
            return item
    item = Dataset()
    setattr(item, keyword, value)
    parent[sequence].value.append(item)
    return item
