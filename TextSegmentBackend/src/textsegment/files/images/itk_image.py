"""NRRD and MetaImage (``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``) through SimpleITK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import SimpleITK as sitk  # noqa: N813  (its documentation's own name)
from numpy.typing import NDArray

from textsegment.errors import GeometryError, InputUnreadableError, VolumeInvalidError
from textsegment.files.atomic import unwritable
from textsegment.files.images.raw_image import LPS_TO_RAS, RawImage, require_plausible_size, three_dimensions
from textsegment.files.native_path import path_to_read, path_to_write
from textsegment.geometry import Geometry

ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

_DETACHED = (".nhdr", ".mhd")
# How ITK and its NRRD library name a bad grid, against other failures of reading.
_BAD_GRID = ("Zero-valued spacing", "determinant is 0", "space vector", "parse origin", "trouble parsing s")
_ORIENTED_SPACES = {
    f"{x}-{y}-{z}"
    for x in ("left", "right")
    for y in ("posterior", "anterior")
    for z in ("superior", "inferior")
}


def read_itk_image(path: Path) -> RawImage:
    """Read an NRRD or MetaImage file.

    Args:
        path: A file with one of ``ITK_SUFFIXES``; the data of a detached header lie beside it.

    Raises:
        InputUnreadableError: It is no such file, or damaged.
        VolumeInvalidError: It is a segmentation, is not three-dimensional, or holds colours, vectors or
            complex numbers.
        GeometryError: Zero or not finite voxel sizes, a singular affine, an empty dimension.
    """
    detached = path.suffix.lower() in _DETACHED
    with path_to_read(path, siblings=detached) as plain_path:
        reader = sitk.ImageFileReader()
        reader.SetFileName(plain_path)
        try:
            reader.ReadImageInformation()
            shape = three_dimensions(reader.GetSize())
            _require_scalar(reader)
            warnings = _nrrd_warnings(path) if path.suffix.lower() in (".nrrd", ".nhdr") else ()
            if not detached:
                # The header does not say whether its data are compressed, so the larger bound holds for both.
                voxel_bytes = int(np.prod(shape, dtype=object)) * _bytes_per_voxel(reader)
                require_plausible_size(voxel_bytes, path.stat().st_size, compressed=True)
            image = reader.Execute()
        except (RuntimeError, ValueError, nrrd.NRRDError) as error:
            raise _read_error(error, plain_path) from error
    voxels_kji = sitk.GetArrayFromImage(image).reshape(shape[::-1])
    return RawImage(voxels_kji.transpose(2, 1, 0), Geometry(shape, affine_of(image)), warnings)


def write_itk_image(path: Path, voxels: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write a compressed NRRD or MetaImage file, with the affine as it is, sheared or not.

    Args:
        path: Ends in ``.nrrd`` or ``.mha``.
        voxels: ``[i, j, k]``; Fortran order is written without a copy.
        affine: 4×4, IJK to RAS millimetres.

    Raises:
        OutputError: The file cannot be written.
    """
    image = sitk.GetImageFromArray(voxels.transpose(2, 1, 0))
    affine_lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(affine_lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine_lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine_lps[:3, 3].tolist())
    try:
        with path_to_write(path) as plain_path:
            sitk.WriteImage(image, plain_path, useCompression=True, compressionLevel=1)
    except RuntimeError as error:
        raise unwritable(path) from error


def affine_of(image: Any) -> NDArray[np.float64]:
    """Return the 4×4 affine (IJK to RAS) of a SimpleITK image of three or more dimensions."""
    dimension = image.GetDimension()
    direction = np.reshape(image.GetDirection(), (dimension, dimension))[:3, :3]
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = direction * np.asarray(image.GetSpacing()[:3])
    affine_lps[:3, 3] = image.GetOrigin()[:3]
    return LPS_TO_RAS @ affine_lps


def _require_scalar(reader: Any) -> None:
    if reader.HasMetaDataKey("Segment0_ID"):
        raise VolumeInvalidError("The file is a segmentation.", "Give the scan itself.")
    if reader.GetNumberOfComponents() != 1:
        raise VolumeInvalidError(
            "The voxels are colours, vectors or time points.", "Convert the image to one grey value a voxel."
        )
    if reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise VolumeInvalidError("The voxels are complex numbers.", "Save their magnitude.")


def _bytes_per_voxel(reader: Any) -> int:
    return int(sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())


def _nrrd_warnings(path: Path) -> tuple[str, ...]:
    """Look for what ITK makes up without a word: voxel sizes of 1 mm, and axes to the left, back and head.

    Raises:
        GeometryError: A voxel size is missing or not a number.
    """
    header = nrrd.read_header(str(path))
    oriented = str(header.get("space", "")).removesuffix("-time").lower() in _ORIENTED_SPACES
    directions = np.atleast_2d(header.get("space directions", np.empty((0, 3))))
    spacings = np.asarray(header.get("spacings", ()), dtype=np.float64)
    if np.isfinite(directions).all(axis=1).sum() < 3 and np.isfinite(spacings).sum() < 3:
        raise GeometryError("The file does not give three voxel sizes.", "Repair the image header.")
    if oriented:
        return ()
    return (
        "The file says nothing about orientation: axes to the left, back and head are assumed, "
        "check the result.",
    )


def _read_error(error: Exception, path: str) -> InputUnreadableError | GeometryError:
    text = str(error).replace(path, "")
    if any(words in text for words in _BAD_GRID):
        return GeometryError(
            "The header gives no valid voxel sizes, axes or dimensions.", "Repair the image header."
        )
    return InputUnreadableError(
        "The file is no image that can be read, or it is damaged.", "Open it in a viewer, or copy it again."
    )
