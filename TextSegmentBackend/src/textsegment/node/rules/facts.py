"""The facts about a series that rules look at, taken from the header of one of its images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from textsegment.errors import InputUnreadableError
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.values import DAMAGE, text_of

_READ = [
    "Modality", "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined", "NumberOfFrames",
    "ConvolutionKernel", "Manufacturer", "ManufacturerModelName", "ImageType", "SliceThickness",
    "SpecificCharacterSet", "SharedFunctionalGroupsSequence",
]  # fmt: skip


@dataclass(frozen=True)
class SeriesFacts:
    """Facts about a series.

    Descriptions are what somebody typed at the scanner: they may contain anything, and belong in no log.

    Attributes:
        modality: Modality code.
        study_description: Study description.
        series_description: Series description.
        protocol: Protocol name.
        body_part: Body part examined.
        kernel: Values of the convolution kernel.
        manufacturer: Manufacturer.
        scanner: Model name of the scanner.
        image_type: Values of the image type.
        slice_thickness_mm: Slice thickness; None if the header does not state it.
        slices: Number of images, or of frames.
        sender: AE title of the sender, or name of the DICOMweb query; empty if unknown.
    """

    modality: str = ""
    study_description: str = ""
    series_description: str = ""
    protocol: str = ""
    body_part: str = ""
    kernel: tuple[str, ...] = ()
    manufacturer: str = ""
    scanner: str = ""
    image_type: tuple[str, ...] = ()
    slice_thickness_mm: float | None = None
    slices: int = 0
    sender: str = ""


def read_facts(path: Path, *, images: int, sender: str = "") -> SeriesFacts:
    """Return the facts about a series.

    Args:
        path: One image of the series.
        images: Number of its files.
        sender: AE title of the sender, or name of the DICOMweb query.

    Raises:
        InputUnreadableError: The file is damaged.
    """
    with quiet_pydicom():
        try:
            header = read_dataset(path, stop_before_pixels=True, specific_tags=_READ)
            return replace(_facts_in(header), slices=max(images, _count(header)), sender=sender)
        except (InvalidDicomError, *DAMAGE) as error:
            raise InputUnreadableError(
                "The header of an image is damaged.", "Send the series again."
            ) from error


def _facts_in(header: Dataset) -> SeriesFacts:
    shared = _first(header, "SharedFunctionalGroupsSequence")
    reconstruction = _first(shared, "CTReconstructionSequence")
    measures = _first(shared, "PixelMeasuresSequence")
    return SeriesFacts(
        modality=_text(header, "Modality"),
        study_description=_text(header, "StudyDescription"),
        series_description=_text(header, "SeriesDescription"),
        protocol=_text(header, "ProtocolName"),
        body_part=_text(header, "BodyPartExamined"),
        kernel=_texts(header, "ConvolutionKernel") or _texts(reconstruction, "ConvolutionKernel"),
        manufacturer=_text(header, "Manufacturer"),
        scanner=_text(header, "ManufacturerModelName"),
        image_type=_texts(header, "ImageType"),
        slice_thickness_mm=_number(header) if "SliceThickness" in header else _number(measures),
    )


def _first(dataset: Dataset, keyword: str) -> Dataset:
    items = dataset.get(keyword) or ()
    return items[0] if items else Dataset()


def _texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    value: Any = dataset.get(keyword)
    if value is None or value == "":
        return ()
    return (text_of(value),) if isinstance(value, (str, bytes)) else tuple(text_of(each) for each in value)


def _text(dataset: Dataset, keyword: str) -> str:
    return " ".join(_texts(dataset, keyword))


def _number(dataset: Dataset) -> float | None:
    try:
        return float(dataset.get("SliceThickness"))
    except DAMAGE:
        return None


def _count(header: Dataset) -> int:
    try:
        return int(header.get("NumberOfFrames") or 1)
    except DAMAGE:
        return 1
