"""Reading of segmentations in any format: the counterpart of ``results``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.values import DAMAGE
from textsegment.files.images.labelmap import LABELMAP_SUFFIXES, table_of
from textsegment.files.images.opening import FileKind, kind_of, open_image
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.reading import read_volume
from textsegment.files.scan import Scan
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

# Part of an NRRD file that holds its header; segmentations of 3D Slicer describe their segments in it.
_HEADER_BYTES = 1 << 16
_SEGMENTS = b"Segment0_"


def read_segmentation(
    path: Path | str, *, scan: Scan | None = None, names: Path | str | None = None
) -> Segmentation:
    """Read the masks of a file or folder in any format that ``write_result`` writes.

    Args:
        path: Segmentation of 3D Slicer (``.seg.nrrd``), DICOM structure set, DICOM segmentation, label map
            (NIfTI, NRRD, MetaImage, MGH), or a folder with one image per structure, named after it.
        scan: Scan that was segmented, to which DICOM objects must belong; structure sets require one that was
            read from DICOM files.
        names: JSON file with the names of the numbers of a label map; by default ``NAME.labels.json`` next to
            it. It contains ``{"labels": [{"value": 1, "name": "liver"}]}``, ``{"labels": {"liver": 1}}`` as
            in nnU-Net, or ``{"1": "liver"}``.

    Returns:
        The masks on their own grid. A number of a label map without a name becomes ``label 7``; an image of
        one structure without a table is named after its file.

    Raises:
        InputNotFoundError: The file or folder does not exist.
        InputUnreadableError: It is damaged, contains no masks, or lacks the scan or the names that it needs.
        InputError: The masks belong to another patient, other images or another frame of reference.
        GeometryError: The images of a folder lie on different grids.

    Example:
        >>> from textsegment.files.results import write_result
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> _ = write_result(FakeSegmenter().segment(phantom(), ["left kidney"]), "out.nii.gz")
        >>> [mask.structure for mask in read_segmentation("out.nii.gz")]
        ['left kidney']
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            raise InputNotFoundError("There is no such file of structures.", "Check the path.")
        kind = kind_of(path)
        if kind is FileKind.NRRD and _has_segments(path):
            return read_seg_nrrd(path)
        if kind is FileKind.DICOM:
            return _dicom(path, scan)
        return _label_map(path, None if names is None else Path(names))
    except OSError as error:
        raise InputUnreadableError("The segmentation may not be read.", "Check its permissions.") from error


def _has_segments(path: Path) -> bool:
    with open_image(path) as stream:
        return path.name.lower().endswith(".seg.nrrd") or _SEGMENTS in stream.read(_HEADER_BYTES)


def _dicom(path: Path, scan: Scan | None) -> Segmentation:
    if not _is_structure_set(path):
        from textsegment.files.dicom_seg.reader import read_dicom_seg

        if scan is None:
            return read_dicom_seg(path)
        return read_dicom_seg(path, geometry=scan.volume.geometry, source=scan.source)
    if scan is None or scan.source is None:
        raise InputUnreadableError(
            "A structure set needs the DICOM scan that it was drawn on.", "Give the DICOM folder."
        )
    from textsegment.files.rtstruct.reader import read_rtstruct

    return read_rtstruct(path, scan.source)


def _is_structure_set(path: Path) -> bool:
    try:
        with quiet_pydicom():
            return bool(read_dataset(path).get("SOPClassUID") == RTStructureSetStorage)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError(
            "The file of structures is none that is known, or damaged.",
            "Give a structure set, a DICOM segmentation, .seg.nrrd or a label map.",
        ) from error


def _label_map(path: Path, names: Path | None) -> Segmentation:
    voxels, geometry = _labels(path)
    table = names or _own_table(path)
    values = np.unique(voxels)
    drawn = [int(value) for value in values if value != 0]
    named = {} if table is None else _read_table(table)
    if table is None and len(drawn) > 1:
        raise InputUnreadableError(
            f"The label map has {len(drawn)} numbers and no table of their names.",
            "Put NAME.labels.json next to it, or give its table with --names.",
        )
    if table is None:
        named = {value: name_of_image(path) for value in drawn or [1]}
    named |= {value: f"label {value}" for value in drawn if value not in named}
    masks = (StructureMask.measured(name, voxels == value, geometry) for value, name in named.items())
    return Segmentation(geometry, tuple(masks))


def _folder(folder: Path) -> Segmentation:
    files = [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(LABELMAP_SUFFIXES)]
    if not files:
        raise InputUnreadableError(
            "The folder holds no masks.",
            "Give a folder with one image per structure, or the file of a segmentation.",
        )
    masks, geometry = [], None
    for path in files:
        voxels, own = _labels(path)
        geometry = geometry or own
        if not own.is_same_grid(geometry):
            raise InputError("The masks of the folder lie on different grids.", "Give those of one scan.")
        masks.append(StructureMask.measured(name_of_image(path), voxels != 0, geometry))
    assert geometry is not None
    return Segmentation(geometry, tuple(masks))


def _labels(path: Path) -> tuple[NDArray[Any], Geometry]:
    volume = read_volume(path, modality="CT")  # labels have no modality
    voxels = volume.voxels
    if voxels.dtype.kind == "f":
        numbers = np.rint(voxels)
        if not np.array_equal(numbers, voxels):
            raise InputUnreadableError(
                "The image holds fractions, not numbers of structures.", "Give a mask or label map."
            )
    return voxels, volume.geometry


def _own_table(path: Path) -> Path | None:
    if not path.name.lower().endswith(LABELMAP_SUFFIXES):
        return None
    table = table_of(path)
    return table if table.is_file() else None


def _read_table(path: Path) -> dict[int, str]:
    try:
        content = json.loads(path.read_text("utf-8"))
        labels = content.get("labels", content)
        if isinstance(labels, Mapping):
            by_name = all(isinstance(value, int) for value in labels.values())
            pairs = [(value, name) if by_name else (name, value) for name, value in labels.items()]
        else:
            pairs = [(entry["value"], entry["name"]) for entry in labels]
        table = {int(value): str(name) for value, name in pairs}
    except FileNotFoundError as error:
        raise InputNotFoundError("There is no such table of names.", "Check the path.") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputUnreadableError(
            "The table of names cannot be read.", 'It looks like {"1": "liver", "2": "spleen"}.'
        ) from error
    return {value: name for value, name in table.items() if value != 0}


def name_of_image(path: Path) -> str:
    """Return the name of the structure in an image that holds one and no names: that of the file."""
    suffix = next((s for s in LABELMAP_SUFFIXES if path.name.lower().endswith(s)), path.suffix)
    return path.name[: -len(suffix)].replace("_", " ") if suffix else path.name
