"""Reading of existing masks on the grid of a scan: the counterpart of ``results``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from textsegment.errors import GeometryError, InputNotFoundError, InputUnreadableError
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.values import DAMAGE
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.scan import Scan
from textsegment.segmentation import Segmentation

_SAME_GRID_MM = 1e-3


def read_masks(path: Path | str, scan: Scan) -> Segmentation:
    """Read masks from a DICOM structure set, a DICOM segmentation, or 3D Slicer's ``.seg.nrrd``.

    Args:
        path: File with the masks.
        scan: Scan that the masks belong to; a structure set requires one that was read from DICOM files.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file has no masks or is damaged, or it is a structure set and the scan was
            not read from DICOM files.
        InputError: The masks belong to another patient, other images, or another frame of reference.
        GeometryError: The masks are on a different grid than the scan.
    """
    path = Path(path)
    if not path.is_file():
        raise InputNotFoundError("There is no such file of structures.", "Check the path.")
    if path.name.lower().endswith(".nrrd"):
        found = read_seg_nrrd(path)
    elif not _is_structure_set(path):
        from textsegment.files.dicom_seg.reader import read_dicom_seg

        found = read_dicom_seg(path, geometry=scan.volume.geometry, source=scan.source)
    elif scan.source is None:
        raise InputUnreadableError(
            "A structure set needs the DICOM scan that it was drawn on.", "Give the DICOM folder."
        )
    else:
        from textsegment.files.rtstruct.reader import read_rtstruct

        found = read_rtstruct(path, scan.source)
    ours, theirs = scan.volume.geometry, found.geometry
    same = ours.spatial_shape == theirs.spatial_shape
    if not same or not np.allclose(ours.affine, theirs.affine, rtol=0, atol=_SAME_GRID_MM):
        raise GeometryError("The structures lie on another grid than the scan.", "Give those of this scan.")
    return found


def _is_structure_set(path: Path) -> bool:
    try:
        with quiet_pydicom():
            return bool(read_dataset(path).get("SOPClassUID") == RTStructureSetStorage)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError(
            "The file of structures is none that is known, or damaged.",
            "Give a structure set, a DICOM segmentation or .seg.nrrd.",
        ) from error
