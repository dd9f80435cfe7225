"""Reading of FreeSurfer's MGH and MGZ files with nibabel."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from nibabel.freesurfer.mghformat import MGHError, MGHHeader
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from textsegment.caution import Caution
from textsegment.errors import InputUnreadableError
from textsegment.files.images.opening import is_compressed, open_image
from textsegment.files.images.raw_image import RawImage, chosen_volume, require_plausible_size
from textsegment.files.images.voxel_bytes import read_volume_of
from textsegment.geometry import Geometry

# Offset in bytes of the header entry that says whether the orientation is known.
_FLAG_AT = 28
_DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, zlib.error, HeaderDataError, WrapStructError,
    MGHError,
)  # fmt: skip


@np.errstate(all="ignore")
def read_mgh(path: Path, *, volume_number: int | None = None) -> RawImage:
    """Read an MGH file.

    Args:
        path: File with any name, compressed (MGZ) or not.
        volume_number: Number of the volume (frame), counted from 1, if there are several.

    Raises:
        InputUnreadableError: The file is damaged or has another format.
        VolumeInvalidError: The file has several volumes, and no number was given.
        GeometryError: A voxel size is zero or not finite, or the affine is singular.
        InputError: There is no volume with this number.
    """
    try:
        with open_image(path) as stream:
            # nibabel silently substitutes a default for a missing orientation.
            is_oriented = int.from_bytes(stream.read(_FLAG_AT + 2)[_FLAG_AT:], "big") == 1
            stream.seek(0)
            header = MGHHeader.from_fileobj(stream, check=False)
            sizes = tuple(int(n) for n in header["dims"])
            shape, index = chosen_volume(sizes, volume_number)
            dtype = header.get_data_dtype()
            geometry = Geometry(shape, header.get_affine())
            voxel_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
            require_plausible_size(voxel_bytes, path.stat().st_size, compressed=is_compressed(path))
            voxels = read_volume_of(path, sizes, dtype, header.get_data_offset(), index, shape[2])
    except _DAMAGE as error:
        raise InputUnreadableError(
            "The file is no MGH image, or it is damaged.", "Copy it again, or convert it to .nii.gz."
        ) from error
    warnings = () if is_oriented else (Caution("orientation_coronal"),)
    return RawImage(voxels.astype(dtype.newbyteorder("="), copy=False), geometry, warnings)
