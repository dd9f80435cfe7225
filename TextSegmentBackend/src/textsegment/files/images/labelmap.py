"""Writing of masks as one NIfTI file per structure, or as one label map (NIfTI, NRRD, MetaImage)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.doubt import notes_on
from textsegment.errors import OutputError, OverlapError
from textsegment.files.disk.atomic import atomic_output, make_folder
from textsegment.files.disk.file_names import file_stems
from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.images.nifti import NIFTI_SUFFIXES, write_nifti
from textsegment.segmentation import Segmentation
from textsegment.vocabulary.appearance import color_of
from textsegment.vocabulary.template import USUAL_STYLE, RegionStyle

LABELMAP_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
_TABLE_SUFFIX = ".labels.json"
OWN_DESCRIPTION = "TextSegment "
"""Beginning of the description in NIfTI files written by this package."""


def write_mask_folder(
    segmentation: Segmentation, folder: Path | str, *, names: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Write each mask as ``<name with underscores>.nii.gz``: uint8, 0 or 1, on the grid of the image.

    Structures that were not found are written as all zeros. Every file appears complete or not at all.

    Args:
        segmentation: Masks, which may overlap.
        folder: Output folder, created if necessary; files with the same names are replaced, others kept.
        names: Output names keyed by structure; other structures keep their own.

    Returns:
        Paths of the files, in the order of the masks.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The folder cannot be created or written.
    """
    folder = make_folder(folder)
    stems = file_stems(segmentation.named(names))
    written = []
    for mask, stem in zip(segmentation, stems, strict=True):
        voxels = np.zeros(segmentation.geometry.spatial_shape, dtype=np.uint8, order="F")
        voxels[mask.box.slices] = mask.mask
        path = folder / f"{stem}.nii.gz"
        with atomic_output(path) as temporary:
            write_nifti(temporary, voxels, segmentation.geometry.affine, _description(segmentation))
        written.append(path)
    return tuple(written)


def write_labelmap(
    segmentation: Segmentation,
    path: Path | str,
    *,
    names: Mapping[str, str] | None = None,
    styles: Mapping[str, RegionStyle] | None = None,
) -> tuple[Path, ...]:
    """Write one image whose voxels are 0 or the number of a structure, with a table of numbers next to it.

    Structures are numbered from 1 in the order of the masks, including empty ones. The data type is uint8, or
    uint16 for more than 255 structures. The table of ``out.nii.gz`` is ``out.labels.json``.

    Args:
        segmentation: Masks, no two of which may share a voxel.
        path: Output file with the suffix ``.nii.gz``, ``.nii``, ``.nrrd`` or ``.mha``.
        names: Output names keyed by structure; other structures keep their own.
        styles: Colors keyed by structure; other structures have the usual one.

    Returns:
        Paths of the image and the table.

    Raises:
        OverlapError: Two structures share a voxel.
        DiskFullError: The disk is full.
        OutputError: The suffix is not supported, or the file cannot be written.
    """
    path = Path(path)
    table = table_of(path)
    labelmap = _labelmap(segmentation)
    affine = segmentation.geometry.affine
    with atomic_output(path) as image_part, atomic_output(table) as table_part:
        if path.name.lower().endswith(NIFTI_SUFFIXES):
            write_nifti(image_part, labelmap, affine, _description(segmentation))
        else:
            write_itk_image(image_part, labelmap, affine)
        content = _label_table(segmentation, segmentation.named(names), styles or {})
        table_part.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    return (path, table)


def table_of(path: Path) -> Path:
    """Return the path of the table of numbers that belongs to a label map.

    Raises:
        OutputError: The suffix is not that of a label map.
    """
    suffix = next((s for s in LABELMAP_SUFFIXES if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise OutputError("A label map has another suffix.", f"Use one of {', '.join(LABELMAP_SUFFIXES)}.")
    return path.with_name(path.name[: -len(suffix)] + _TABLE_SUFFIX)


def is_table(path: Path) -> bool:
    """Return whether a file is named like the table of a label map."""
    return path.name.endswith(_TABLE_SUFFIX)


def _labelmap(segmentation: Segmentation) -> NDArray[Any]:
    dtype = np.uint8 if len(segmentation) <= np.iinfo(np.uint8).max else np.uint16
    labelmap = np.zeros(segmentation.geometry.spatial_shape, dtype=dtype, order="F")
    for number, mask in enumerate(segmentation, start=1):
        region = labelmap[mask.box.slices]
        others = region[mask.mask]
        if others.any():
            other = segmentation.masks[int(others.max()) - 1].structure
            raise OverlapError(
                f"{mask.structure!r} and {other!r} overlap; a label map holds one structure a voxel.",
                "Write a .seg.nrrd file or a folder of masks, or ask for other structures.",
            )
        region[mask.mask] = number
    return labelmap


def _label_table(
    segmentation: Segmentation, names: Sequence[str], styles: Mapping[str, RegionStyle]
) -> dict[str, Any]:
    colors = [color_of(mask.structure, styles.get(mask.structure, USUAL_STYLE)) for mask in segmentation]
    labels = [
        {"value": number, "name": name, "color": list(colors[number - 1])}
        | ({"warnings": list(notes)} if (notes := notes_on(mask, segmentation.provenance)) else {})
        for number, (mask, name) in enumerate(zip(segmentation, names, strict=True), start=1)
    ]
    return {"labels": labels, "provenance": {key: str(v) for key, v in segmentation.provenance.items()}}


def _description(segmentation: Segmentation) -> str:
    return f"{OWN_DESCRIPTION}{segmentation.provenance.get('model', '')}"
