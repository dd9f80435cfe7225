"""Reading of existing masks on the grid of a scan."""

from __future__ import annotations

from pathlib import Path

from textsegment.errors import GeometryError
from textsegment.files.scan import Scan
from textsegment.files.segmentations import read_segmentation
from textsegment.segmentation import Segmentation


def read_masks(path: Path | str, scan: Scan) -> Segmentation:
    """Read masks in any format of ``read_segmentation`` that lie on the grid of a scan.

    Args:
        path: File or folder with the masks.
        scan: Scan that the masks belong to; a structure set requires one that was read from DICOM files.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file has no masks or is damaged, or it is a structure set and the scan was
            not read from DICOM files.
        InputError: The masks belong to another patient, other images, or another frame of reference.
        GeometryError: The masks are on a different grid than the scan.
    """
    found = read_segmentation(path, scan=scan)
    if not found.geometry.is_same_grid(scan.volume.geometry):
        raise GeometryError("The structures lie on another grid than the scan.", "Give those of this scan.")
    return found
