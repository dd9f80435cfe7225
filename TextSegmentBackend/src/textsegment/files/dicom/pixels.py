"""Voxels of DICOM images: decoding, scaling, and assembly on the grid of their planes.

pydicom decodes uncompressed pixels, and GDCM (inside SimpleITK) the rest, for which pydicom would need
additional packages. GDCM is given a file with nothing but the pixels, because it would otherwise invert
MONOCHROME1, which concerns display and not values, and scale all frames like the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

from textsegment.errors import InputUnreadableError
from textsegment.files.dicom.header import ImageHeader, read_dataset
from textsegment.files.dicom.planes import scaling_of
from textsegment.files.dicom.stack import Stack
from textsegment.files.dicom.values import DAMAGE
from textsegment.files.disk.native_path import plain_folder

# Defaults for elements that careless writers omit.
_USUAL = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0}
_OF_PIXELS = (
    *_USUAL, "Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelData",
)  # fmt: skip


# Headers may contain any number: the values are checked later, so NumPy need not warn.
@np.errstate(all="ignore")
def load_voxels(stack: Stack, sources: Sequence[tuple[ImageHeader, int]]) -> NDArray[Any]:
    """Decode the sorted planes and assemble them on the grid.

    Args:
        stack: Grid, and arrangement of the planes on it.
        sources: File and frame number (from 0) of each plane, sorted along the grid.

    Returns:
        Voxels ``[i, j, k]``, with i contiguous in memory.

    Raises:
        InputUnreadableError: The pixels cannot be decoded.
    """
    columns, rows, depth = stack.geometry.spatial_shape
    voxels_kji = np.empty((len(sources), rows, columns), dtype=np.int16)
    decoded: tuple[ImageHeader | None, Dataset, NDArray[Any]] = (None, Dataset(), voxels_kji)
    for index, (header, frame) in enumerate(sources):
        if decoded[0] is not header:
            decoded = (header, *_decode(header))
        _, dataset, stored_kji = decoded
        if stored_kji.shape[1:] != (rows, columns) or frame >= len(stored_kji):
            raise InputUnreadableError("A DICOM file does not hold the pixels that it announces.")
        scaled = _scaled(stored_kji[frame], dataset, frame)
        voxels_kji = _widened(voxels_kji, scaled.dtype)
        voxels_kji[index] = scaled
    if depth != len(sources) or stack.fraction.any():
        voxels_kji = _interpolated(voxels_kji, stack)
    return voxels_kji.transpose(2, 1, 0)


def _decode(header: ImageHeader) -> tuple[Dataset, NDArray[Any]]:
    """Return the whole data set, and its stored pixel values ``[frame, row, column]``."""
    try:
        dataset = read_dataset(header.path)
        for keyword, value in _USUAL.items():
            if dataset.get(keyword) in (None, ""):
                setattr(dataset, keyword, value)
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        if syntax is not None and syntax.is_compressed and syntax != RLELossless:
            stored = _decode_compressed(dataset)
        else:
            stored = dataset.pixel_array
    except (*DAMAGE, RuntimeError) as error:
        raise InputUnreadableError(
            "The pixels of a DICOM file cannot be decoded: it is cut off, or of an unknown kind.",
            "Copy the series again, or run `pip install 'textsegment[dicom]'` for more kinds of compression.",
        ) from error
    return dataset, stored.reshape(-1, *stored.shape[-2:])


def _decode_compressed(dataset: Dataset) -> NDArray[Any]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    with plain_folder() as folder:
        path = folder / "pixels.dcm"
        _pixels_alone(dataset).save_as(path, enforce_file_format=True)
        reader.SetFileName(str(path))
        try:
            stored: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
        except RuntimeError:  # newer compression, or damage: try pydicom, if its packages are installed
            stored = dataset.pixel_array
    return stored


def _pixels_alone(dataset: Dataset) -> Dataset:
    """Return a data set with only what decoding needs: no patient data, no scaling, no inversion."""
    alone = Dataset()
    for keyword in _OF_PIXELS:
        if keyword in dataset:
            alone[keyword] = dataset[keyword]
    alone.PhotometricInterpretation = "MONOCHROME2"
    alone.SOPClassUID, alone.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    return alone


def _scaled(stored: NDArray[Any], dataset: Dataset, frame: int) -> NDArray[Any]:
    """Return the rescaled values of a frame, as integers if slope and intercept are integers."""
    try:
        if dataset.get("ModalityLUTSequence"):
            return np.asarray(apply_modality_lut(stored, dataset))
        slope, intercept = scaling_of(dataset, frame)
    except DAMAGE as error:
        raise InputUnreadableError("The header of a DICOM file is damaged.", "Copy it again.") from error
    if (slope, intercept) == (1, 0):
        return stored
    scaled = stored * slope + intercept
    if slope.is_integer() and intercept.is_integer() and stored.dtype.kind != "f":
        for dtype in (np.int16, np.int32):
            if np.iinfo(dtype).min <= scaled.min() and scaled.max() <= np.iinfo(dtype).max:
                return scaled.astype(dtype)
    return scaled.astype(np.float32)


def _widened(voxels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the voxels in a type that can also represent ``dtype``; fractions are kept as float32."""
    common = np.result_type(voxels.dtype, dtype)
    if common.kind == "f":
        common = np.dtype(np.float32)
    return voxels.astype(common, copy=False)


def _interpolated(voxels_kji: NDArray[Any], stack: Stack) -> NDArray[Any]:
    filled = np.empty((len(stack.lower), *voxels_kji.shape[1:]), dtype=voxels_kji.dtype)
    for k, (lower, fraction) in enumerate(zip(stack.lower, stack.fraction, strict=True)):
        if fraction == 0:
            filled[k] = voxels_kji[lower]
            continue
        mixed = (1 - fraction) * voxels_kji[lower] + fraction * voxels_kji[lower + 1]
        filled[k] = np.rint(mixed) if filled.dtype.kind != "f" else mixed
    return filled
