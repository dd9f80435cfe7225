"""NIfTI-1 and NIfTI-2, in one file or two, and Analyze (``.nii``, ``.nii.gz``, ``.hdr`` with ``.img``).

This module uses nibabel rather than SimpleITK, because ITK replaces a sheared sform by a rotation, takes
voxel sizes and axes from different fields, and truncates a file without an error when the disk is full.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from textsegment.errors import InputUnreadableError
from textsegment.files.images.nifti_header import (
    geometry_of,
    is_pair,
    pair_of,
    read_header,
    scalar_type,
    voxel_offset,
)
from textsegment.files.images.opening import is_compressed
from textsegment.files.images.raw_image import RawImage, chosen_volume, require_plausible_size
from textsegment.files.images.voxel_bytes import read_volume_of
from textsegment.geometry import Geometry

NIFTI_SUFFIXES = (".nii", ".nii.gz")
PAIR_SUFFIXES = (".hdr", ".img", ".hdr.gz", ".img.gz")

_DAMAGE = (OSError, EOFError, ValueError, KeyError, zlib.error, HeaderDataError, WrapStructError)


# Headers may contain arbitrary bits; their numbers are checked, so NumPy need not warn about them.
@np.errstate(all="ignore")
def read_nifti(path: Path, *, volume_number: int | None = None, first_slice: bool = False) -> RawImage:
    """Read a NIfTI or Analyze file.

    The sform is used if its code is positive, else the qform, else the voxel sizes alone, with a warning.
    ``scl_slope`` and ``scl_inter`` are applied, giving float32; without them the voxels keep their type.

    Args:
        path: File with any name, compressed or not; of a pair, either file.
        volume_number: Number of the volume, counted from 1, if there are several.
        first_slice: Whether to read only the first slice along k.

    Raises:
        InputNotFoundError: One file of a pair is missing.
        InputUnreadableError: The file is damaged or not a NIfTI file.
        VolumeInvalidError: The image is not three-dimensional, or has colours or complex numbers.
        GeometryError: A voxel size is zero or not finite, the affine is singular, or a dimension is empty.
        InputError: There is no volume with this number.
    """
    try:
        header, data = _open(path)
        shape, index = chosen_volume(header.get_data_shape(), volume_number)
        dtype = scalar_type(header)
        geometry, warnings = geometry_of(header, shape)
        voxel_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        require_plausible_size(voxel_bytes, data.stat().st_size, compressed=is_compressed(data))
        slices = 1 if first_slice else shape[2]
        voxels = _read_voxels(data, header, index, slices)
        geometry = Geometry((*shape[:2], slices), geometry.affine)
    except _DAMAGE as error:
        raise InputUnreadableError(
            "The file is no NIfTI image, or it is damaged.", "Open it in a viewer, or copy it again."
        ) from error
    return RawImage(voxels, geometry, warnings)


def nifti_description(path: Path) -> str:
    """Return the description in the header of a NIfTI file; empty for any other file."""
    try:
        return bytes(read_header(path)["descrip"]).split(b"\0")[0].decode("ascii", "replace")
    except _DAMAGE:
        return ""


def write_nifti(path: Path, voxels: NDArray[Any], affine: NDArray[np.float64], description: str) -> None:
    """Write a NIfTI-1 file with the affine as both qform and sform, or as sform alone if it is sheared.

    Args:
        path: Output file with the suffix ``.nii`` or ``.nii.gz``.
        voxels: Voxels ``[i, j, k]``; an array in Fortran order is written fastest.
        affine: 4×4 matrix from IJK to RAS millimetres; NIfTI-1 stores it as float32.
        description: Description for the header, at most 79 ASCII characters.
    """
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    image.set_sform(affine, code="scanner")
    sheared = Geometry(voxels.shape, affine).is_sheared
    image.set_qform(affine, code="unknown" if sheared else "scanner")
    # Opened here, since nibabel leaves its own file open when the disk is full.
    with path.open("wb") as stream:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(stream)


def _open(path: Path) -> tuple[Any, Path]:
    """Return the header, and the path of the file with the voxels."""
    if path.name.lower().endswith(PAIR_SUFFIXES):
        header_path, data = pair_of(path)
        header = read_header(header_path)
        return header, data if is_pair(header) else header_path
    header = read_header(path)
    return header, pair_of(path)[1] if is_pair(header) else path


def _read_voxels(data: Path, header: Any, index: tuple[int, ...], slices: int) -> NDArray[Any]:
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    voxels = read_volume_of(data, shape, dtype, voxel_offset(header), index, slices)
    slope, intercept = (
        usual if v is None else v for v, usual in zip(header.get_slope_inter(), (1, 0), strict=True)
    )
    if (slope, intercept) != (1, 0):
        scaled = np.empty(voxels.shape, dtype=np.float32, order="F")
        for k in range(voxels.shape[2]):  # in double, without copying all of it
            scaled[:, :, k] = voxels[:, :, k] * float(slope) + float(intercept)
        return scaled
    if voxels.dtype.itemsize > 8:
        return voxels.astype(np.float64)
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
