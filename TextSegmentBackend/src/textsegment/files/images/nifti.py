"""NIfTI-1 and NIfTI-2 (``.nii``, ``.nii.gz``).

With nibabel and not with SimpleITK: ITK replaces a sheared sform by a rotation, takes voxel sizes from one
field and axes from another, and cuts a file off without an error when the disk is full. The header is read
as it is, checked, and used by the rules of the standard
(https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h, "method 1 to 3").
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from textsegment.errors import GeometryError, InputUnreadableError, VolumeInvalidError
from textsegment.files.images.raw_image import RawImage, require_plausible_size, three_dimensions
from textsegment.geometry import Geometry

NIFTI_SUFFIXES = (".nii", ".nii.gz")

_HEADER_CLASSES = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
# Codes of metres and micrometres in xyzt_units; millimetres and unknown codes are taken for millimetres.
_MILLIMETRES = {1: 1000.0, 3: 0.001}
# Two orientations that put every voxel within this fraction of a voxel of each other are the same.
_SAME_PLACE = 0.25
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zlib.error, HeaderDataError, WrapStructError)


# Headers may hold any bits: the numbers are checked, numpy need not warn of them as well.
@np.errstate(all="ignore")
def read_nifti(path: Path, *, first_slice: bool = False) -> RawImage:
    """Read a NIfTI file.

    The sform is used if its code is positive, else the qform, else the voxel sizes alone with a warning.
    ``scl_slope`` and ``scl_inter`` are applied (the result is float32); without them the voxels keep their
    type.

    Args:
        path: A ``.nii`` or ``.nii.gz`` file.
        first_slice: Whether to read no more than the first slice along k.

    Raises:
        InputUnreadableError: It is no NIfTI file, or damaged.
        VolumeInvalidError: It is not three-dimensional, or holds colours or complex numbers.
        GeometryError: Zero or not finite voxel sizes, a singular affine, an empty dimension.
    """
    try:
        header = _read_header(path)
        shape = three_dimensions(header.get_data_shape())
        dtype = _scalar_type(header)
        geometry, warnings = _geometry(header, shape)
        compressed = path.name.lower().endswith(".gz")
        voxel_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        require_plausible_size(voxel_bytes, path.stat().st_size, compressed=compressed)
        if first_slice:
            geometry = Geometry((*shape[:2], 1), geometry.affine)
            header.set_data_shape(geometry.spatial_shape)
        voxels = _read_voxels(path, header, geometry.spatial_shape)
    except _DAMAGE as error:
        raise InputUnreadableError(
            "The file is no NIfTI image, or it is damaged.", "Open it in a viewer, or copy it again."
        ) from error
    return RawImage(voxels, geometry, warnings)


def nifti_description(path: Path) -> str:
    """Return what the header says the image is; empty for a file that is none."""
    try:
        return bytes(_read_header(path)["descrip"]).split(b"\0")[0].decode("ascii", "replace")
    except _DAMAGE:
        return ""


def write_nifti(path: Path, voxels: NDArray[Any], affine: NDArray[np.float64], description: str) -> None:
    """Write a NIfTI-1 file whose qform and sform both say the affine; a sheared one has an sform only.

    Args:
        path: Ends in ``.nii`` or ``.nii.gz``.
        voxels: ``[i, j, k]``; Fortran order is written fastest.
        affine: 4×4, IJK to RAS millimetres; NIfTI-1 keeps it as float32.
        description: At most 79 ASCII characters.
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


def _read_header(path: Path) -> Any:
    """Read the header without nibabel's repairs, which would turn a zero voxel size into one."""
    with ImageOpener(str(path)) as stream:
        first = stream.read(4)
        sizes = {int.from_bytes(first, order) for order in ("little", "big")}
        known = sizes & set(_HEADER_CLASSES)
        if len(first) < 4 or not known:
            raise HeaderDataError("no NIfTI header")
        stream.seek(0)
        header = _HEADER_CLASSES[known.pop()].from_fileobj(stream, check=False)
    if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
        raise HeaderDataError("no NIfTI magic number")
    return header


def _scalar_type(header: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise VolumeInvalidError(
            "The voxels are colours or complex numbers.", "Convert the image to one grey value a voxel."
        )
    return dtype


def _geometry(header: Any, shape: tuple[int, int, int]) -> tuple[Geometry, tuple[str, ...]]:
    pixdim = header["pixdim"][1:4].astype(np.float64)
    if not np.isfinite(pixdim).all() or not pixdim.all():
        raise GeometryError("A voxel size is zero or not a number.", "Repair the image header.")
    # Some old writers store a flip as a negative size; the standard has the flip in the quaternion.
    header["pixdim"][1:4] = np.abs(pixdim)
    scale = np.diag([_MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)] * 3 + [1.0])
    matrix = header.get_sform(coded=True)[0]
    if matrix is not None:
        geometry = Geometry(shape, scale @ matrix)
        return geometry, _doubts(header, geometry, scale)
    matrix = _qform(header)
    if matrix is not None:
        return Geometry(shape, scale @ matrix), ()
    warning = "The file says nothing about orientation: left and right may be swapped, check the result."
    return Geometry(shape, scale @ header.get_base_affine()), (warning,)


def _qform(header: Any) -> NDArray[np.float64] | None:
    try:
        matrix: NDArray[np.float64] | None = header.get_qform(coded=True)[0]
    except (HeaderDataError, ValueError) as error:
        raise GeometryError("The orientation (qform) is no rotation.", "Repair the image header.") from error
    return matrix


def _doubts(header: Any, geometry: Geometry, scale: NDArray[np.float64]) -> tuple[str, ...]:
    """Return what speaks against the sform that is used: another qform, other voxel sizes."""
    warnings = []
    try:
        matrix = _qform(header)
        if matrix is not None:
            corners = np.stack(np.meshgrid(*[(0, n - 1) for n in geometry.spatial_shape]), -1).reshape(-1, 3)
            other = Geometry(geometry.spatial_shape, scale @ matrix)
            distance = float(np.linalg.norm(geometry.to_ras(corners) - other.to_ras(corners), axis=1).max())
            if distance > _SAME_PLACE * min(geometry.spacing):
                warnings.append(
                    "The file has two orientations that differ "
                    f"(sform and qform, by up to {distance:.1f} mm): the sform is used."
                )
    except GeometryError:
        warnings.append("One of the two orientations in the file (qform) is damaged: the sform is used.")
    if not np.allclose(header["pixdim"][1:4] * scale[0, 0], geometry.spacing, rtol=0.01):
        warnings.append("The voxel sizes in the file differ from its orientation matrix: the matrix is used.")
    return tuple(warnings)


def _read_voxels(path: Path, header: Any, shape: tuple[int, int, int]) -> NDArray[Any]:
    proxy = ArrayProxy(str(path), header, mmap=False)
    scaled = header.get_slope_inter() not in ((None, None), (1.0, 0.0))
    voxels = np.asarray(proxy, dtype=np.float32) if scaled else np.asarray(proxy.get_unscaled())
    voxels = voxels.reshape(shape, order="F")
    if voxels.dtype.itemsize > 8:
        return voxels.astype(np.float64)
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
