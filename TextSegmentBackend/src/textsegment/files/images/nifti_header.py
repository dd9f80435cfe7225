"""Headers of NIfTI and Analyze files: sizes, data type, and location of the voxels.

A header is read without nibabel's repairs (which would turn a zero voxel size into one), checked, and
interpreted by the rules of the standard, "method 1 to 3"
(https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
from nibabel.quaternions import quat2mat
from nibabel.spatialimages import HeaderDataError
from nibabel.spm99analyze import Spm99AnalyzeHeader
from numpy.typing import NDArray

from textsegment.errors import GeometryError, InputNotFoundError, VolumeInvalidError
from textsegment.files.images.opening import open_image
from textsegment.geometry import Geometry

# Codes of metres and micrometres in xyzt_units; any other code is interpreted as millimetres.
_MILLIMETRES = {1: 1000.0, 3: 0.001}
# Two affines are equal if they place every voxel within this fraction of a voxel of each other.
_SAME_PLACE = 0.25
# Rounding error by which the quaternion of a rotation may be too long.
_ROUNDING = 1e-4
_HEADER_BYTES = {b"n+1": 352, b"n+2": 544}
_CLASSES = {
    b"n+1": Nifti1Header, b"ni1": Nifti1PairHeader, b"n+2": Nifti2Header, b"ni2": Nifti2PairHeader,
}  # fmt: skip


def pair_of(path: Path) -> tuple[Path, Path]:
    """Return the paths of the header and the voxels of an image in two files, given either one.

    Raises:
        InputNotFoundError: One of the files is missing.
    """
    name, lower = path.name, path.name.lower()
    tail = next(t for t in (".hdr.gz", ".img.gz", ".hdr", ".img", "") if lower.endswith(t))
    stem = name[: len(name) - len(tail)]
    found = []
    for suffix in (".hdr", ".img"):
        names = (f"{stem}{suffix}", f"{stem}{suffix}.gz", f"{stem}{suffix.upper()}")
        files = [path.with_name(n) for n in names]
        if lower.removesuffix(".gz").endswith(suffix):
            files.insert(0, path)
        there = next((file for file in files if file.is_file()), None)
        if there is None:
            raise InputNotFoundError(
                f"The image is in two files, and the one that ends in {suffix} is missing.",
                "It lies beside the other: copy both.",
            )
        found.append(there)
    return found[0], found[1]


def read_header(path: Path) -> Any:
    """Read the header at the beginning of a file.

    Returns:
        nibabel's header object for a single NIfTI file, a NIfTI pair, or Analyze.

    Raises:
        HeaderDataError: The file does not begin with such a header.
    """
    with open_image(path) as stream:
        start = stream.read(348)
        sizes = {int.from_bytes(start[:4], order) for order in ("little", "big")}
        magic = start[4:7] if 540 in sizes else start[344:347]
        if len(start) < 348 or not sizes & {348, 540}:
            raise HeaderDataError("no header of this kind")
        kind = _CLASSES.get(magic, Spm99AnalyzeHeader if 348 in sizes else None)
        if kind is None:
            raise HeaderDataError("no NIfTI magic number")
        stream.seek(0)
        return kind.from_fileobj(stream, check=False)


def is_pair(header: Any) -> bool:
    """Return whether the voxels are in a separate file."""
    return bytes(header["magic"])[:3] not in _HEADER_BYTES if isinstance(header, Nifti1Header) else True


def voxel_offset(header: Any) -> int:
    """Return the offset in bytes of the voxels in their file.

    Raises:
        HeaderDataError: The offset is within the header or invalid.
    """
    value = float(header["vox_offset"])
    least = 0 if is_pair(header) else _HEADER_BYTES[bytes(header["magic"])[:3]]
    if not (np.isfinite(value) and value.is_integer() and value >= least):
        raise HeaderDataError("the voxels begin inside the header")
    return int(value)


def scalar_type(header: Any) -> np.dtype[Any]:
    """Return the data type of the voxels.

    Raises:
        VolumeInvalidError: The voxels are colours or complex numbers.
    """
    dtype: np.dtype[Any] = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise VolumeInvalidError(
            "The voxels are colours or complex numbers.", "Convert the image to one grey value a voxel."
        )
    return dtype


def geometry_of(header: Any, shape: tuple[int, int, int]) -> tuple[Geometry, tuple[str, ...]]:
    """Return the grid of an image, and warnings about it.

    Raises:
        GeometryError: A voxel size is zero or not finite, the affine is singular, or the qform is not a
            rotation.
    """
    pixdim = header["pixdim"][1:4].astype(np.float64)
    if not np.isfinite(pixdim).all() or not pixdim.all():
        raise GeometryError("A voxel size is zero or not a number.", "Repair the image header.")
    # Some old writers store a flip as a negative voxel size; the standard defines it with the quaternion.
    header["pixdim"][1:4] = np.abs(pixdim)
    unsaid = "The file says nothing about orientation: left and right may be swapped, check the result."
    if not isinstance(header, Nifti1Header):
        return Geometry(shape, header.get_best_affine()), (unsaid,)
    scale = np.diag([_MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)] * 3 + [1.0])
    matrix = header.get_sform(coded=True)[0]
    if matrix is not None and not matrix[:3].any() and int(header["qform_code"]) > 0:
        warning = "One of the two orientations in the file (sform) is all zero: the qform is used."
        return Geometry(shape, scale @ _qform(header)), (warning,)
    if matrix is not None:
        geometry = Geometry(shape, scale @ matrix)
        return geometry, _doubts(header, geometry, scale)
    matrix = _qform(header)
    if matrix is not None:
        return Geometry(shape, scale @ matrix), ()
    return Geometry(shape, scale @ header.get_base_affine()), (unsaid,)


def _qform(header: Any) -> NDArray[np.float64] | None:
    """Return the affine given by the quaternion; None if the header says that there is none.

    Raises:
        GeometryError: The quaternion is not a rotation.
    """
    if int(header["qform_code"]) <= 0:
        return None
    vector = np.array([header[f"quatern_{axis}"] for axis in "bcd"], dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if not length <= 1 + _ROUNDING:  # NaN fails as well
        raise GeometryError("The orientation (qform) is no rotation.", "Repair the image header.")
    if length > 1:
        vector /= length
    real = np.sqrt(max(0.0, 1.0 - float(vector @ vector)))
    matrix = np.eye(4)
    # Any number that is not negative means 1, including zero.
    flip = -1.0 if float(header["pixdim"][0]) < 0 else 1.0
    sizes = header["pixdim"][1:4].astype(np.float64) * (1.0, 1.0, flip)
    matrix[:3, :3] = quat2mat([real, *vector]) * sizes
    matrix[:3, 3] = [header[f"qoffset_{axis}"] for axis in "xyz"]
    return matrix


def _doubts(header: Any, geometry: Geometry, scale: NDArray[np.float64]) -> tuple[str, ...]:
    """Return warnings if the qform or the voxel sizes contradict the sform in use."""
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
