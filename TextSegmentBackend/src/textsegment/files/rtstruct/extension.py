"""Extension of a structure set: a new instance with its regions unchanged, to which others are added."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.rtstruct.reader import read_structure_set

# SOP class that the standard prescribes for study references here; it is retired but still required.
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"

# Attributes of the old instance only: who approved or signed it, and which device made it.
_APPROVAL = ("ReviewerName", "SOPAuthorizationDateTime", "DigitalSignaturesSequence")
_OF_THE_OLD_ONE = (
    "ReviewDate", "ReviewTime", "ReviewerName",
    "SOPInstanceStatus", "SOPAuthorizationDateTime", "SOPAuthorizationComment",
    "AuthorizationEquipmentCertificationNumber", "MACParametersSequence", "DigitalSignaturesSequence",
    "StationName", "DeviceSerialNumber", "DeviceUID",
)  # fmt: skip


def copy_to_extend(path: Path | str, source: SourceSeries) -> tuple[Dataset, tuple[Caution, ...]]:
    """Read a structure set to be extended, and turn it into a new instance that succeeds it.

    Returns:
        The data set, and cautions about it, such as the loss of its approval.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file is not a structure set, or is damaged.
        InputError: It belongs to another patient, other images or another frame of reference.
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
    """Add references to study, series and images of the scan (Referenced Frame of Reference Sequence)."""
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
    """Return the item of a sequence whose attribute has a value, adding one if necessary."""
    if sequence not in parent:
        setattr(parent, sequence, [])
    for item in parent[sequence]:
        if item.get(keyword) == value:
            return item
    item = Dataset()
    setattr(item, keyword, value)
    parent[sequence].value.append(item)
    return item
