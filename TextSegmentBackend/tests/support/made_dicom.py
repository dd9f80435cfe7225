"""DICOM files made with pydicom: no patient, any geometry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

_SOP_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
_LPS = np.array([-1.0, -1.0, 1.0])

Change = Callable[[Dataset, int], None]


def write_series(
    folder: Path,
    stored: np.ndarray,
    affine_ras: np.ndarray,
    *,
    modality: str = "CT",
    slopes: list[float] | None = None,
    intercept: float = -1024.0,
    change: Change | None = None,
    series_number: int = 3,
) -> list[Path]:
    """Write stored values ``[i, j, k]`` as one file a slice, in an order of names unlike that in space.

    Args:
        change: Called with each data set and its slice number before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series, study, frame, paths = generate_uid(), generate_uid(), generate_uid(), []
    for k in range(stored.shape[2]):
        dataset = base_dataset(stored[:, :, k].T, modality, series, series_number)
        dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = study, frame
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = [f"{v:.9g}" for v in _LPS * (affine_ras @ [0, 0, k, 1])[:3]]
        dataset.ImageOrientationPatient = orientation(affine_ras)
        dataset.PixelSpacing = pixel_spacing(affine_ras)
        dataset.SliceThickness = f"{np.linalg.norm(affine_ras[:3, 2]):.9g}"
        dataset.RescaleSlope = str(slopes[k] if slopes else 1.0)
        dataset.RescaleIntercept = str(intercept)
        if change is not None:
            change(dataset, k)
        paths.append(folder / f"{(k * 7) % 1009:04d}-{series_number}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def write_enhanced(
    path: Path,
    stored: np.ndarray,
    affine_ras: np.ndarray,
    *,
    order: list[int] | None = None,
    slopes: list[float] | None = None,
    compression: str | None = None,
) -> None:
    """Write stored values ``[i, j, k]`` as one enhanced MR file; ``order`` says which slice each frame is."""
    count = stored.shape[2]
    order = order or list(range(count))
    frames = np.stack([stored[:, :, k].T for k in order])
    dataset = base_dataset(frames, "MR", generate_uid(), 5)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = len(order)
    shared = Dataset()
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = orientation(affine_ras)
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = pixel_spacing(affine_ras)
    shared.PixelMeasuresSequence[0].SliceThickness = "1"
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for frame, k in enumerate(order):
        item = Dataset()
        item.PlanePositionSequence = [Dataset()]
        position = [f"{v:.9g}" for v in _LPS * (affine_ras @ [0, 0, k, 1])[:3]]
        item.PlanePositionSequence[0].ImagePositionPatient = position
        item.PixelValueTransformationSequence = [Dataset()]
        item.PixelValueTransformationSequence[0].RescaleSlope = str(slopes[frame] if slopes else 2.0)
        item.PixelValueTransformationSequence[0].RescaleIntercept = "0"
        dataset.PerFrameFunctionalGroupsSequence.append(item)
    if compression is not None:
        dataset.compress(compression)
    dataset.save_as(path, enforce_file_format=True)


def base_dataset(frames: np.ndarray, modality: str, series: str, series_number: int) -> Dataset:
    """A data set with pixels ``[row, column]`` or ``[frame, row, column]``, and a name that must not leak."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = _SOP_CLASSES.get(modality, CTImageStorage)
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientName = "Secret^Patient"
    dataset.PatientID = "SECRET-ID"
    dataset.SeriesDescription = "Secret description"
    dataset.StudyInstanceUID = generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.SeriesInstanceUID = series
    dataset.SeriesNumber = series_number
    dataset.Modality = modality
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows, dataset.Columns = frames.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = frames.astype("<u2").tobytes()
    return dataset


def orientation(affine_ras: np.ndarray) -> list[str]:
    axes = _LPS[:, None] * affine_ras[:3, :2] / np.linalg.norm(affine_ras[:3, :2], axis=0)
    return [f"{v:.9g}" for v in axes.T.ravel()]


def pixel_spacing(affine_ras: np.ndarray) -> list[str]:
    along_i, along_j = np.linalg.norm(affine_ras[:3, :2], axis=0)
    return [f"{along_j:.9g}", f"{along_i:.9g}"]
