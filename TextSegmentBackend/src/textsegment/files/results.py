"""The one exit for masks: the name of the output says the format."""

from __future__ import annotations

import os
from pathlib import Path

from textsegment.errors import OutputError
from textsegment.files.nifti_nrrd import LABELMAP_SUFFIXES, write_labelmap, write_mask_folder
from textsegment.files.seg_nrrd import write_seg_nrrd
from textsegment.segmentation import Segmentation


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
    ends_as_folder = str(path).endswith(("/", os.sep))
    path = Path(path)
    name = path.name.lower()
    if path.is_dir() or ends_as_folder:
        return write_mask_folder(segmentation, path)
    if name.endswith(".seg.nrrd"):
        write_seg_nrrd(segmentation, path)
        return (path,)
    if name.endswith(LABELMAP_SUFFIXES):
        return write_labelmap(segmentation, path)
    if not path.suffix:
        return write_mask_folder(segmentation, path)
    raise OutputError(
        "The suffix of the output is not known.",
        f"Use .seg.nrrd, {', '.join(LABELMAP_SUFFIXES)}, or a folder.",
    )
