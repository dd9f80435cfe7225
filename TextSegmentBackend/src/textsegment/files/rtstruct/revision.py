"""Revision of a structure set: which of its regions are untouched, and the set without some of them.

A region is known by its *fingerprint*: name, maker and every point of its contours, to a hundredth of a
millimetre. A person who edits or renames a region changes it, whatever the program used says about it.
What this program writes carries a *mark*: the beginning of its fingerprint, behind its maker. A region whose
mark and fingerprint agree is untouched. Programs that drop the mark make it somebody's own, which is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag

from textsegment.errors import InputUnreadableError
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.values import DAMAGE, convert_values, text_of
from textsegment.files.disk.atomic import atomic_output
from textsegment.files.rtstruct.regions import number_of

_CONTOUR_DATA = Tag("ContourData")
_STEP_MM = 0.01
_LONGEST = 64  # characters of a long string (VR LO)
_MARK_DIGITS = 16
_MARK = re.compile(rf" #([0-9a-f]{{{_MARK_DIGITS}}})\Z")


def read_set(path: Path) -> Dataset:
    """Read a structure set, with all values converted.

    Raises:
        InputUnreadableError: The file is damaged or not a structure set.
    """
    try:
        with quiet_pydicom():
            dataset = read_dataset(path)
            convert_values(dataset)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError("The structure set cannot be read.", "Check the file.") from error
    return dataset


def fingerprints(dataset: Dataset) -> dict[int, str]:
    """Return the fingerprint of each region of a structure set by its number.

    Regions whose contours cannot be read, or whose number is not unique, have none.

    Args:
        dataset: Structure set with converted values.
    """
    contours: dict[int, list[Dataset]] = {}
    for item in dataset.get("ROIContourSequence") or ():
        number = number_of(item, "ReferencedROINumber")
        if number is not None:
            contours.setdefault(number, []).append(item)
    found: dict[int, str] = {}
    doubled: set[int] = set()
    for roi in dataset.get("StructureSetROISequence") or ():
        number = number_of(roi, "ROINumber")
        if number is None:
            continue
        if number in found or len(contours.get(number, [])) > 1:
            doubled.add(number)
        digest = _digest(roi, contours.get(number, []))
        if digest:
            found[number] = digest
    return {number: digest for number, digest in found.items() if number not in doubled}


def fingerprint(roi: Dataset, item: Dataset) -> str:
    """Return the fingerprint that a region will have once it is written.

    Args:
        roi: Item of the Structure Set ROI Sequence.
        item: Item of the ROI Contour Sequence.
    """
    return _digest(roi, [item])


def mark(roi: Dataset, digest: str) -> None:
    """Mark a region as it is now.

    Args:
        roi: Item of the Structure Set ROI Sequence, with the name of its maker.
        digest: Fingerprint of the region.
    """
    maker = str(roi.ROIGenerationDescription)[: _LONGEST - _MARK_DIGITS - 2]
    roi.ROIGenerationDescription = f"{maker} #{digest[:_MARK_DIGITS]}"


def untouched(dataset: Dataset) -> set[int]:
    """Return the numbers of the regions that this program made and nobody has changed since.

    Args:
        dataset: Structure set with converted values.
    """
    found = fingerprints(dataset)
    numbers = set()
    for roi in dataset.get("StructureSetROISequence") or ():
        number = number_of(roi, "ROINumber")
        said = _MARK.search(text_of(roi.get("ROIGenerationDescription")))
        if number in found and said and found[number].startswith(said[1]):
            numbers.add(number)
    return numbers


def region_names(dataset: Dataset, numbers: Collection[int]) -> tuple[str, ...]:
    """Return the names of the regions with these numbers, in the order of the set."""
    regions = dataset.get("StructureSetROISequence") or ()
    return tuple(text_of(roi.get("ROIName")) for roi in regions if number_of(roi, "ROINumber") in numbers)


def write_without(dataset: Dataset, numbers: Collection[int], path: Path) -> None:
    """Write a structure set without some of its regions; everything else stays as it is.

    Args:
        dataset: Structure set; not changed.
        numbers: Numbers of the regions to leave out.
        path: File to write.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The file cannot be written.
    """
    kept = Dataset()
    kept.update(dataset)
    kept.file_meta = dataset.file_meta
    for sequence, keyword in (
        ("StructureSetROISequence", "ROINumber"),
        ("ROIContourSequence", "ReferencedROINumber"),
        ("RTROIObservationsSequence", "ReferencedROINumber"),
    ):
        items = [item for item in dataset.get(sequence) or () if number_of(item, keyword) not in numbers]
        kept.pop(sequence, None)  # the element is shared with the set that was given
        setattr(kept, sequence, items)
    with quiet_pydicom(), atomic_output(path) as temporary:
        kept.save_as(temporary, enforce_file_format=True)


def _digest(roi: Dataset, items: list[Dataset]) -> str:
    """Return the fingerprint of a region; empty if its contours cannot be read."""
    maker = str(roi.get("ROIGenerationAlgorithm") or "")
    total = hashlib.sha256(f"{text_of(roi.get('ROIName'))}\n{maker}\n".encode())
    try:
        with quiet_pydicom():
            for contour in (each for item in items for each in item.get("ContourSequence") or ()):
                points = _numbers(contour)
                total.update(str(contour.get("ContourGeometricType")).encode())
                total.update(np.rint(points / _STEP_MM).astype(np.int64).tobytes())
    except DAMAGE:
        return ""
    return total.hexdigest()


def _numbers(contour: Dataset) -> NDArray[np.float64]:
    """Return the numbers of a contour; what has not been converted yet is faster to read as bytes."""
    element = contour.get_item(_CONTOUR_DATA)
    value = getattr(element, "value", None)
    # Without a value representation (implicit), the dictionary says that these are decimal strings.
    if value and isinstance(value, bytes) and getattr(element, "VR", "") in (None, "DS"):
        return np.array(value.decode("ascii").split("\\"), dtype=np.float64)
    return np.asarray(contour.ContourData, dtype=np.float64)
