"""NRRD and MetaImage (``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``) through SimpleITK.

SimpleITK is imported when it is needed, since other formats do without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from numpy.typing import NDArray

from textsegment.errors import GeometryError, InputUnreadableError, VolumeInvalidError
from textsegment.files.disk.atomic import unwritable
from textsegment.files.disk.native_path import path_to_read, path_to_write
from textsegment.files.images.itk_headers import HeaderFacts, meta_facts, nrrd_facts
from textsegment.files.images.opening import FileKind, kind_of
from textsegment.files.images.raw_image import (
    LPS_TO_RAS,
    RawImage,
    chosen_volume,
    index_of_volume,
    require_plausible_size,
)
from textsegment.geometry import Geometry

ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

# What pynrrd raises on damaged headers; an empty file has not even a first line.
_DAMAGED_HEADER = (ValueError, TypeError, LookupError, OverflowError, EOFError, StopIteration, nrrd.NRRDError)
# Phrases by which ITK and its NRRD library report a bad grid, in contrast to other read errors.
_BAD_GRID = ("Zero-valued spacing", "determinant is 0", "space vector", "parse origin", "trouble parsing s")


def read_itk_image(path: Path, *, volume_number: int | None = None) -> RawImage:
    """Read an NRRD or MetaImage file.

    Args:
        path: File with any name; the data of a detached header are next to it.
        volume_number: Number of the volume, counted from 1, if there are several (along a fourth dimension,
            or as a list of values per voxel).

    Raises:
        InputNotFoundError: The data of a detached header are missing.
        InputUnreadableError: The file is damaged or has another format.
        VolumeInvalidError: The image is a segmentation, is not three-dimensional, or has colours, vectors or
            complex numbers.
        GeometryError: A voxel size is zero or not finite, the affine is singular, or a dimension is empty.
        InputError: There is no volume with this number.
    """
    import SimpleITK as sitk  # noqa: N813

    is_nrrd = kind_of(path) is FileKind.NRRD
    try:
        facts = nrrd_facts(path) if is_nrrd else meta_facts(path)
    except _DAMAGED_HEADER as error:
        raise _read_error(error, "") from error
    facts.require_data(path)
    with path_to_read(
        path, siblings=bool(facts.data_files), suffix=".nrrd" if is_nrrd else ".mha"
    ) as plain_path:
        reader = sitk.ImageFileReader()
        reader.SetImageIO("NrrdImageIO" if is_nrrd else "MetaImageIO")
        reader.SetFileName(plain_path)
        try:
            image = _read(reader, path, facts, volume_number)
        except (RuntimeError, ValueError) as error:
            raise _read_error(error, plain_path) from error
    shape, index = chosen_volume(image.GetSize(), _number_along(image, volume_number))
    values = sitk.GetArrayViewFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        values = values[..., index_of_volume(values.shape[-1], volume_number)]
    voxels_kji = np.array(values[index[::-1]])
    affine = np.diag([*facts.scale, 1.0]) @ affine_of(image)
    return RawImage(voxels_kji.transpose(2, 1, 0), Geometry(shape, affine), facts.warnings)


def write_itk_image(path: Path, voxels: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write a compressed NRRD or MetaImage file with the exact affine, including shear.

    Args:
        path: Output file with the suffix ``.nrrd`` or ``.mha``.
        voxels: Voxels ``[i, j, k]``; an array in Fortran order is written without a copy.
        affine: 4×4 matrix from IJK to RAS millimetres.

    Raises:
        OutputError: The file cannot be written.
    """
    import SimpleITK as sitk  # noqa: N813

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


def _read(reader: Any, path: Path, facts: HeaderFacts, volume_number: int | None) -> Any:
    """Check what the header declares, then read the image."""
    reader.ReadImageInformation()
    chosen_volume(reader.GetSize(), _number_along(reader, volume_number))
    _require_grey(reader, volume_number)
    facts.require_voxel_sizes()
    if not facts.data_files:
        # The header does not say whether its data are compressed, so the larger limit applies to both cases.
        components = reader.GetNumberOfComponents()
        voxel_bytes = int(np.prod(reader.GetSize(), dtype=object)) * components * _bytes_per_value(reader)
        require_plausible_size(voxel_bytes, path.stat().st_size, compressed=True)
    return reader.Execute()


def _number_along(image: Any, volume_number: int | None) -> int | None:
    """Return the number of the volume if volumes are along the fourth dimension, otherwise None."""
    return volume_number if image.GetDimension() > 3 else None


def _require_grey(reader: Any, volume_number: int | None) -> None:
    import SimpleITK as sitk  # noqa: N813

    if reader.HasMetaDataKey("Segment0_ID"):
        raise VolumeInvalidError("The file is a segmentation.", "Give the scan itself.")
    if reader.GetNumberOfComponents() != 1:
        kinds = reader.GetMetaData("NRRD_kinds[0]") if reader.HasMetaDataKey("NRRD_kinds[0]") else ""
        is_list = kinds in ("list", "time", "domain")
        if not is_list:
            raise VolumeInvalidError(
                "The voxels are colours, vectors or time points.",
                "Convert the image to one grey value a voxel.",
            )
        index_of_volume(reader.GetNumberOfComponents(), volume_number)
    elif reader.GetDimension() <= 3:
        index_of_volume(1, volume_number)
    if reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise VolumeInvalidError("The voxels are complex numbers.", "Save their magnitude.")


def _bytes_per_value(reader: Any) -> int:
    import SimpleITK as sitk  # noqa: N813

    return int(sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())


def _read_error(error: Exception, path: str) -> InputUnreadableError | GeometryError:
    text = str(error).replace(path, "")
    if any(words in text for words in _BAD_GRID):
        return GeometryError(
            "The header gives no valid voxel sizes, axes or dimensions.", "Repair the image header."
        )
    return InputUnreadableError(
        "The file is no image that can be read, or it is damaged.", "Open it in a viewer, or copy it again."
    )
