"""Extending a structure set: its regions stay as they are, in a new instance beside new ones."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.rtstruct.reader import read_structure_set

# The class that the standard has for references to a study here; it was retired, and is needed all the same.
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"

# What was said of the older instance: who approved or signed it, and which device made it.
_APPROVAL = ("ReviewerName", "SOPAuthorizationDateTime", "DigitalSignaturesSequence")
_OF_THE_OLD_ONE = (
    "ReviewDate", "ReviewTime", "ReviewerName",
    "SOPInstanceStatus", "SOPAuthorizationDateTime", "SOPAuthorizationComment",
    "AuthorizationEquipmentCertificationNumber", "MACParametersSequence", "DigitalSignaturesSequence",
    "StationName", "DeviceSerialNumber", "DeviceUID",
)  # fmt: skip


def copy_to_extend(path: Path | str, source: SourceSeries) -> tuple[Dataset, tuple[Caution, ...]]:
    """Read a structure set that shall be extended, and turn it into a successor of itself.

    Returns:
        The data set, and what should be known about it, such as that it was approved and is no longer.

    Raises:
        InputNotFoundError: There is no such file.
        InputUnreadableError: It is no structure set, or damaged.
        InputError: It belongs to another patient, other images, or another frame of reference.
    """
    dataset, said = read_structure_set(path, source)
    if dataset.get("ApprovalStatus") == "APPROVED" or any(keyword in dataset for keyword in _APPROVAL):
        said = (*said, Caution("approval_lost"))
    predecessor = Dataset()
    predecessor.ReferencedSOPClassUID = dataset.SOPClassUID
    predecessor.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PredecessorStructureSetSequence = [predecessor]
    for keyword in _OF_THE_OLD_ONE:
        if keyword in dataset:
            del dataset[keyword]
    return dataset, said


def refer_to_images(dataset: Dataset, source: SourceSeries) -> None:
    """Name study, series and images of the scan (Referenced Frame of Reference Sequence)."""
    frame = _item_with(
        dataset, "ReferencedFrameOfReferenceSequence", "FrameOfReferenceUID", source.frame_of_reference_uid
    )
    study = _item_with(
        frame, "RTReferencedStudySequence", "ReferencedSOPInstanceUID", source.study_instance_uid
    )
    if "ReferencedSOPClassUID" not in study:
        study.ReferencedSOPClassUID = _DETACHED_STUDY
    series = _item_with(study, "RTReferencedSeriesSequence", "SeriesInstanceUID", source.series_instance_uid)
    images = list(series.get("ContourImageSequence") or [])
    named = {str(image.get("ReferencedSOPInstanceUID", "")) for image in images}
    for header in source.datasets:
        if header.SOPInstanceUID not in named:
            image = Dataset()
            image.ReferencedSOPClassUID = header.SOPClassUID
            image.ReferencedSOPInstanceUID = header.SOPInstanceUID
            images.append(image)
    series.ContourImageSequence = images


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
