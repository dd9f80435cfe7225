"""The voxels of DICOM images: decoded, scaled, and put on the grid that their planes make.

GDCM, inside SimpleITK, decodes the pixels (all usual transfer syntaxes) and applies each file's own rescale
slope and intercept; where the frames of one file are scaled differently, pydicom decodes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from textsegment.errors import InputUnreadableError, VolumeInvalidError
from textsegment.files.dicom.header import DAMAGE, ImageHeader, read_dataset
from textsegment.files.dicom.stack import Stack
from textsegment.files.native_path import path_to_read


def load_voxels(stack: Stack, sources: Sequence[tuple[ImageHeader, int]]) -> NDArray[Any]:
    """Decode the sorted planes and put them on the grid.

    Args:
        stack: The grid, and how the planes lie on it.
        sources: File and frame number (from 0) of each plane, in the order of the grid.

    Returns:
        The voxels ``[i, j, k]``, i fastest.

    Raises:
        InputUnreadableError: The pixels cannot be decoded.
        VolumeInvalidError: They are colours.
    """
    columns, rows, depth = stack.geometry.spatial_shape
    voxels_kji = np.empty((len(sources), rows, columns), dtype=np.int16)
    decoded: tuple[ImageHeader | None, NDArray[Any]] = (None, voxels_kji)
    for index, (header, frame) in enumerate(sources):
        if decoded[0] is not header:
            decoded = (header, _decode(header))
        frames_kji = decoded[1]
        if frames_kji.shape[1:] != (rows, columns) or frame >= len(frames_kji):
            raise InputUnreadableError("A DICOM file does not hold the pixels that it announces.")
        voxels_kji = _widened(voxels_kji, frames_kji.dtype)
        voxels_kji[index] = frames_kji[frame]
    if depth != len(sources) or stack.fraction.any():
        voxels_kji = _interpolated(voxels_kji, stack)
    return voxels_kji.transpose(2, 1, 0)


def _decode(header: ImageHeader) -> NDArray[Any]:
    """Return the scaled frames ``[frame, row, column]``."""
    scalings = header.frame_scalings()
    if len(set(scalings)) > 1:
        return _decode_frames(header, scalings)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    try:
        with path_to_read(header.path) as plain_path:
            reader.SetFileName(plain_path)
            frames_kji: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise InputUnreadableError(
            "The pixels of a DICOM file cannot be decoded: it is cut off, or of an unknown kind.",
            "Copy the series again.",
        ) from error
    if frames_kji.ndim != 3:
        raise VolumeInvalidError("The DICOM image is a colour picture.", "Choose the series of the scan.")
    return frames_kji


def _decode_frames(header: ImageHeader, scalings: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    try:
        stored = read_dataset(header.path).pixel_array
    except (*DAMAGE, RuntimeError) as error:
        raise InputUnreadableError(
            "The pixels of a DICOM file cannot be decoded: it is cut off, or compressed.",
            "Copy it again, or run `pip install 'textsegment[dicom]'` for more kinds of compression.",
        ) from error
    slopes, intercepts = np.array(scalings, dtype=np.float64).T.reshape(2, -1, 1, 1)
    scaled: NDArray[np.float32] = (stored * slopes + intercepts).astype(np.float32)
    return scaled


def _widened(voxels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the voxels in a type that holds the other one too; fractions are kept as float32."""
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
