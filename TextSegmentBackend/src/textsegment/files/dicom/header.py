"""Reading of DICOM headers, limited to the attributes that this package needs."""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pydicom
import pydicom.config
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, MediaStorageDirectoryStorage

from textsegment.errors import InputUnreadableError
from textsegment.files.dicom.inherited import KEYWORDS, LOSSY
from textsegment.files.dicom.pet import PET_KEYWORDS, PET_PRIVATE_TAGS
from textsegment.files.dicom.planes import has_image_type, image_planes
from textsegment.files.dicom.stack import Plane
from textsegment.files.dicom.values import DAMAGE, keep_text
from textsegment.files.disk.walking import walk_files

_NEEDED = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "ImageType",
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
# Attributes that derived objects repeat. An invalid value is dropped instead of rejecting the image.
_KEPT = [
    *KEYWORDS, *LOSSY, "FrameOfReferenceUID", "PositionReferenceIndicator", "SpacingBetweenSlices",
    *PET_KEYWORDS, *PET_PRIVATE_TAGS,
    "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence",
]  # fmt: skip
FEWEST_PLANES = 4
"""Series with fewer planes count as scouts or screenshots if there is a longer one."""
# Modalities of objects that are not scans, although some of them contain pixels.
_NO_SCAN = {"SEG", "RTDOSE", "RTIMAGE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "DOC"}
_LOSSY = {
    JPEGBaseline8Bit: "ISO_10918_1", JPEGExtended12Bit: "ISO_10918_1", JPEGLSNearLossless: "ISO_14495_1",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """Header of a DICOM file that can be part of a scan.

    Attributes:
        path: Path of the file.
        dataset: Data set with only the elements that this package needs.
    """

    path: Path
    dataset: Dataset

    @property
    def modality(self) -> str:
        """Modality code, or ``"?"`` if the file has none in the usual form."""
        return _code(self.dataset)

    @property
    def series(self) -> str:
        """Series instance UID, which must never be displayed; may be empty."""
        return str(self.dataset.get("SeriesInstanceUID") or "")

    @property
    def series_number(self) -> str:
        """Series number for messages, or ``"?"``."""
        number = self.dataset.get("SeriesNumber")
        return str(int(number)) if number is not None else "?"

    @property
    def frame_count(self) -> int:
        """Number of planes in the file."""
        return int(self.dataset.get("NumberOfFrames") or 1)

    @property
    def sop_class(self) -> str:
        """SOP class UID of the object; may be empty."""
        return str(self.dataset.get("SOPClassUID") or "")

    @property
    def is_placed(self) -> bool:
        """Whether the file states the positions of its planes, unlike screenshots and dose pages."""
        return bool(
            self.dataset.get("ImagePositionPatient") or self.dataset.get("PerFrameFunctionalGroupsSequence")
        )

    @property
    def is_scout(self) -> bool:
        """Whether the image is a localizer, which only shows the extent of the scan."""
        return has_image_type(self.dataset, "LOCALIZER")

    def planes(self) -> list[Plane]:
        """Return the plane of each frame.

        Raises:
            GeometryError: The file does not state the positions of its planes.
            VolumeInvalidError: The image is a colour image or a mosaic.
            InputUnreadableError: The header is damaged.
        """
        try:
            return image_planes(self.dataset)
        except DAMAGE as error:
            raise _damaged_header() from error


@dataclass(frozen=True)
class ImageFiles:
    """DICOM files found by a search.

    Attributes:
        images: Headers of the files that can be part of a scan.
        others: Modality codes of other DICOM objects (structure sets, segmentations, …).
        damaged: Number of DICOM files that could not be read.
    """

    images: tuple[ImageHeader, ...]
    others: frozenset[str]
    damaged: int


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Suppress pydicom's warnings about invalid values, which quote them and so may reveal patient data."""
    logger = logging.getLogger("pydicom")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with pydicom.config.disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def find_images(folder: Path) -> ImageFiles:
    """Find DICOM images in a folder, and in its subfolders unless the folder itself contains a scan.

    A scout or screenshot in the folder itself does not count as a scan. Symbolic links are followed.
    """
    levels = walk_files(folder)
    found = read_headers(next(levels, (folder, []))[1])
    counts = Counter[str]()
    for header in found.images:
        if header.is_placed and not header.is_scout:
            counts[header.series] += header.frame_count
    if max(counts.values(), default=0) >= FEWEST_PLANES:
        return found
    below = read_headers(path for _, files in levels for path in files)
    return ImageFiles(found.images + below.images, found.others | below.others, found.damaged + below.damaged)


def read_headers(paths: Iterable[Path]) -> ImageFiles:
    """Read the headers of all DICOM files among the paths; other files are skipped."""
    images: list[ImageHeader] = []
    others: set[str] = set()
    damaged = 0
    for path in paths:
        try:
            header = _read_header(path)
            is_scan = bool(header.dataset.get("Rows")) and header.modality not in _NO_SCAN
            _ = header.series_number, header.frame_count
        except InvalidDicomError:
            continue
        except DAMAGE:
            damaged += 1
            continue
        if is_scan:
            images.append(header)
        elif "Modality" in header.dataset:
            others.add(header.modality)
        elif header.dataset.file_meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage:
            damaged += 1
    return ImageFiles(tuple(images), frozenset(others), damaged)


def read_dataset(path: Path, **options: Any) -> Dataset:
    """Read a DICOM file with or without preamble; ``options`` are passed to ``pydicom.dcmread``."""
    with path.open("rb") as stream:
        # Old files lack the preamble and begin directly with their first element.
        bare = stream.read(2) in (b"\x02\x00", b"\x08\x00")
        stream.seek(0)
        return pydicom.dcmread(stream, force=bare, **options)


def _read_header(path: Path) -> ImageHeader:
    dataset = read_dataset(path, stop_before_pixels=True, specific_tags=_NEEDED + _KEPT)
    keep_text(dataset)
    _drop_odd(dataset)
    _say_compression(path, dataset)
    # pydicom converts values on first access: force it, so that damage shows up here.
    for _ in chain(dataset.file_meta.iterall(), dataset.iterall()):
        pass
    return ImageHeader(path, dataset)


def _drop_odd(dataset: Dataset) -> None:
    """Drop unreadable values of attributes that are only copied to other objects."""
    for keyword in _KEPT:
        if keyword not in dataset:
            continue
        try:
            element = dataset[keyword]
            # pydicom keeps a number that it cannot parse as text.
            odd = element.VR == "DS" and isinstance(element.value, str)
        except DAMAGE:
            odd = True
        if odd:
            del dataset[keyword]


def _say_compression(path: Path, dataset: Dataset) -> None:
    """Record lossy compression, as the transfer syntax implies it, if the header does not."""
    method = _LOSSY.get(dataset.file_meta.get("TransferSyntaxUID"))
    if method is None or dataset.get("LossyImageCompression") == "01":
        return
    size = 2 * int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
    size *= int(dataset.get("NumberOfFrames") or 1) * int(dataset.get("SamplesPerPixel") or 1)
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", method
    dataset.LossyImageCompressionRatio = round(max(size / path.stat().st_size, 1.0), 2)


def _damaged_header() -> InputUnreadableError:
    return InputUnreadableError("The header of a DICOM file is damaged.", "Copy the series again.")


def _code(dataset: Dataset) -> str:
    text = str(dataset.get("Modality") or "")
    return text if re.fullmatch("[A-Z]{2,16}", text) else "?"
