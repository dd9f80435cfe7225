"""Planes in the header of a DICOM image: their positions, and the scaling of their pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.errors import GeometryError, VolumeInvalidError
from textsegment.files.dicom.stack import Plane


def has_image_type(dataset: Dataset, word: str) -> bool:
    """Whether the image type contains a word such as ``LOCALIZER`` or ``MOSAIC``."""
    value = dataset.get("ImageType") or ()
    return word in (value.split("\\") if isinstance(value, str) else [str(v) for v in value])


def scaling_of(dataset: Dataset, frame: int) -> tuple[float, float]:
    """Return (slope, intercept) of a frame (from 0): its own, or else those of the whole file."""
    slope, intercept = (_of_frame(dataset, frame, key) for key in ("RescaleSlope", "RescaleIntercept"))
    return float(1 if slope is None else slope), float(0 if intercept is None else intercept)


def unit_caution(datasets: Iterable[Dataset]) -> tuple[Caution, ...]:
    """Return a caution if the headers of a CT do not indicate Hounsfield units.

    A CT must state slope and intercept (PS3.3 C.8.2.1), or a lookup table instead.
    """
    units = set()
    for dataset in datasets:
        scaling = [_of_frame(dataset, 0, key) for key in ("RescaleSlope", "RescaleIntercept")]
        if None in scaling and not dataset.get("ModalityLUTSequence"):
            return (Caution("rescale_missing"),)
        units.add(str(_of_frame(dataset, 0, "RescaleType") or "HU").strip().upper())
    others = sorted(unit for unit in units - {"HU", "HU_MOD"} if re.fullmatch("[A-Z_]{1,16}", unit))
    return (Caution("rescale_type", unit=", ".join(others)),) if others else ()


def _of_frame(dataset: Dataset, frame: int, keyword: str) -> Any:
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    own = _group(dataset, frames[frame], "PixelValueTransformationSequence") if frame < len(frames) else {}
    values = (own.get(keyword), dataset.get(keyword))
    return next((value for value in values if value not in (None, "")), None)


def image_planes(dataset: Dataset) -> list[Plane]:
    """Return the plane of each frame.

    Raises:
        GeometryError: The file does not state the positions of its planes.
        VolumeInvalidError: The image is a colour image or a mosaic.
    """
    _require_grey(dataset)
    if int(dataset.get("NumberOfFrames") or 1) == 1 and "PerFrameFunctionalGroupsSequence" not in dataset:
        return [_plane(dataset, dataset, dataset, dataset)]
    return _enhanced_planes(dataset)


def _require_grey(dataset: Dataset) -> None:
    grey = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").startswith("MONOCHROME")
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not grey:
        raise VolumeInvalidError(
            "The DICOM image is a colour picture.", "Choose the series of the scan itself."
        )
    if has_image_type(dataset, "MOSAIC"):
        raise VolumeInvalidError(
            "The DICOM image is a mosaic: many slices side by side in one picture.",
            "Convert it to NIfTI, for example with dcm2niix, and choose one time point.",
        )


def _enhanced_planes(dataset: Dataset) -> list[Plane]:
    """Read the functional groups of an enhanced multi-frame object (PS3.3 C.7.6.16)."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    count = int(dataset.get("NumberOfFrames") or 1)
    if len(frames) != count:
        raise GeometryError(
            "The DICOM file holds several frames and does not say where they lie.",
            "Choose another series, or convert it to NIfTI.",
        )
    return [
        _plane(
            dataset,
            _group(dataset, frame, "PlanePositionSequence"),
            _group(dataset, frame, "PlaneOrientationSequence"),
            _group(dataset, frame, "PixelMeasuresSequence"),
        )
        for frame in frames
    ]


def _group(dataset: Dataset, frame: Dataset, keyword: str) -> Dataset:
    """Return a functional group of a frame, or else the shared one."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    return (frame.get(keyword) or shared.get(keyword) or [Dataset()])[0]


def _plane(dataset: Dataset, position: Dataset, orientation: Dataset, measures: Dataset) -> Plane:
    position_lps = _numbers(position, "ImagePositionPatient", 3)
    directions = _numbers(orientation, "ImageOrientationPatient", 6)
    between_rows, between_columns = _numbers(measures, "PixelSpacing", 2)
    i_lps, j_lps = directions[:3], directions[3:]
    lengths = np.linalg.norm(i_lps), np.linalg.norm(j_lps)
    # Vectors written with few digits only nearly have unit length: PixelSpacing alone gives the voxel size.
    if not np.allclose(lengths, 1, atol=0.01) or abs(i_lps @ j_lps) > 0.01:
        raise GeometryError("The orientation of the DICOM image is no rotation.", "Repair the image header.")
    thickness = measures.get("SliceThickness")
    return Plane(
        position_lps,
        i_lps / lengths[0],
        j_lps / lengths[1],
        (float(between_columns), float(between_rows)),
        (int(dataset.Columns), int(dataset.Rows)),
        float(thickness) if thickness else None,
    )


def _numbers(dataset: Dataset, keyword: str, count: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(v) for v in dataset.get(keyword) or ()])
    except (TypeError, ValueError):
        values = np.empty(0)
    if len(values) != count or not np.isfinite(values).all():
        raise GeometryError(
            f"The DICOM image does not say where it lies in the patient ({keyword}).",
            "Choose a series of slices, not a single radiograph or screenshot.",
        )
    return values
