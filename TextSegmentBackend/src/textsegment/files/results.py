"""The one exit for masks: the name of the output says the format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from textsegment.errors import OutputError
from textsegment.files.names import file_stems
from textsegment.files.nifti_nrrd import LABELMAP_SUFFIXES, table_of, write_labelmap, write_mask_folder
from textsegment.files.seg_nrrd import write_seg_nrrd
from textsegment.segmentation import Segmentation

_SEG_NRRD = ".seg.nrrd"


def write_result(segmentation: Segmentation, path: Path | str) -> tuple[Path, ...]:
    """Write the masks in the format that the name of the output stands for.

    - ``.seg.nrrd``: 3D Slicer's segmentation, overlapping structures kept;
    - ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``: one label map, with a table ``.labels.json`` beside it;
    - a folder (there already, or a name without suffix, or one that ends in ``/``): one NIfTI a structure.

    Returns:
        The files that were written.

    Raises:
        OverlapError: A label map was asked for and structures overlap.
        DiskFullError: There is no room.
        OutputError: The suffix is unknown, or the output cannot be written.
    """
    if is_folder(path):
        return write_mask_folder(segmentation, path)
    path = Path(path)
    if path.name.lower().endswith(_SEG_NRRD):
        write_seg_nrrd(segmentation, path)
        return (path,)
    _require_labelmap(path)
    return write_labelmap(segmentation, path)


def result_files(structures: Sequence[str], path: Path | str) -> tuple[Path, ...]:
    """Return the files that ``write_result`` would make, without writing anything.

    Raises:
        OutputError: The suffix is unknown.
    """
    if is_folder(path):
        return tuple(Path(path) / f"{stem}.nii.gz" for stem in file_stems(structures))
    path = Path(path)
    if path.name.lower().endswith(_SEG_NRRD):
        return (path,)
    _require_labelmap(path)
    return (path, table_of(path))


def is_folder(path: Path | str) -> bool:
    """Whether an output is a folder: there already, without suffix, or ending in ``/``."""
    return str(path).endswith(("/", os.sep)) or Path(path).is_dir() or not Path(path).suffix


def _require_labelmap(path: Path) -> None:
    if not path.name.lower().endswith(LABELMAP_SUFFIXES):
        raise OutputError(
            "The suffix of the output is not known.",
            f"Use {_SEG_NRRD}, {', '.join(LABELMAP_SUFFIXES)}, or a folder.",
        )
