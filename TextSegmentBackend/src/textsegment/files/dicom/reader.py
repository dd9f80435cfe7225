"""Reading of scans from DICOM series of slices and enhanced multi-frame objects.

pydicom reads the headers, ``series`` chooses a series, ``strays`` sets aside images that do not belong to it,
``stack`` arranges its planes on a grid, and ``pixels`` decodes the voxels. SimpleITK's series reader is not
used, because it applies the first file's scaling to all, ignores gantry tilt, and stacks unevenly spaced
slices evenly.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from textsegment.errors import ModalityError
from textsegment.files.dicom.header import ImageHeader, quiet_pydicom
from textsegment.files.dicom.pet import suv_factor
from textsegment.files.dicom.pixels import load_voxels
from textsegment.files.dicom.planes import unit_caution
from textsegment.files.dicom.series import Where, choose_series
from textsegment.files.dicom.source import source_series
from textsegment.files.dicom.strays import main_class, placed_frames, stack_most
from textsegment.files.scan import Scan
from textsegment.modality import MODALITIES, modality_code
from textsegment.volume import Volume


def read_dicom(where: Where, *, modality: str | None = None, series: str | None = None) -> Scan:
    """Read a scan from DICOM files.

    Slices are sorted by position. Gantry tilt is kept as a sheared affine. Missing or unevenly spaced slices
    are interpolated onto a regular grid, with a warning. PET is converted to SUV by body weight; if the files
    lack the required information it stays in Bq/ml, with a warning. Objects of another kind in the series,
    and a few images that do not fit the others, are set aside, with a warning.

    Args:
        where: A folder (its subfolders are searched if it contains no scan itself), one file (the other
            slices of its series are taken from the same folder), or the files themselves.
        modality: Modality that overrides the one in the files and chooses among several series.
        series: Key of the series as in ``list_series``, or its instance UID.

    Raises:
        InputNotFoundError: A file or folder does not exist.
        InputUnreadableError: There are no DICOM files, or they are damaged.
        InputError: Several series could be the scan, or none matches ``series``.
        VolumeInvalidError: The files are not a scan (structure set, segmentation, …), or contain colour
            images, a mosaic, several images at the same position, or PET counts of unknown activity.
        GeometryError: The slices do not form a regular grid, or do not state their positions.
        ModalityError: The modality cannot be segmented.
    """
    wanted = modality_code(modality) if modality is not None else None
    with quiet_pydicom():
        chosen, warnings = choose_series(where, modality=wanted, series=series)
        headers, about_class = main_class(_without_repeats(chosen.headers))
        planes, about_place = placed_frames(headers)
        if wanted is None and chosen.modality not in MODALITIES:
            raise ModalityError(
                f"The series has the modality {chosen.modality}, which cannot be segmented.",
                f"If it is one of {', '.join(MODALITIES)} after all, say so with --modality.",
            )
        stack, planes, about_stack = stack_most(planes)
        warnings += (*about_class, *about_place, *about_stack)
        planes = [planes[index] for index in stack.order]
        voxels = load_voxels(stack, [(header, frame) for header, frame, _ in planes])
        if chosen.modality == "PT":
            factor, about_unit = suv_factor([header.dataset for header in headers])
            if factor != 1:
                voxels = np.multiply(voxels, factor, dtype=np.float32, casting="unsafe")
            warnings += about_unit
        if "CT" in (wanted, chosen.modality):
            warnings += unit_caution(header.dataset for header in headers)
        source = source_series(stack.geometry, planes, stack.places.tolist())
    return Scan(Volume(voxels, stack.geometry, wanted or chosen.modality, warnings + stack.warnings), source)


def _without_repeats(headers: Iterable[ImageHeader]) -> list[ImageHeader]:
    """Drop copies of the same file; anonymised files may have empty or equal identifiers."""
    seen: dict[tuple[str, str], ImageHeader] = {}
    for number, header in enumerate(headers):
        identifier = str(header.dataset.get("SOPInstanceUID") or number)
        seen.setdefault((identifier, str(header.dataset.get("ImagePositionPatient"))), header)
    return list(seen.values())
