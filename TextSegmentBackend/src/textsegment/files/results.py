"""The single exit point for masks: writes them in the format given by the name of the output."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textsegment.errors import OutputError
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.disk.file_names import file_stems
from textsegment.files.images.labelmap import LABELMAP_SUFFIXES, table_of, write_labelmap, write_mask_folder
from textsegment.files.images.seg_nrrd import write_seg_nrrd
from textsegment.segmentation import Segmentation
from textsegment.vocabulary.template import RegionStyle

if TYPE_CHECKING:
    from textsegment.files.dicom.source import SourceSeries

_SEG_NRRD = ".seg.nrrd"
_RTSTRUCT = ".rtstruct.dcm"
_DICOM_SEG = ".seg.dcm"
_USUAL = Presentation()


def _say_nothing(sentence: str) -> None:
    """Discard a warning."""


def write_result(
    segmentation: Segmentation,
    path: Path | str,
    *,
    names: Mapping[str, str] | None = None,
    source: SourceSeries | None = None,
    short_names: bool = False,
    append_to: Path | str | None = None,
    presentation: Presentation = _USUAL,
    segmentation_type: str = "auto",
    styles: Mapping[str, RegionStyle] | None = None,
    on_warning: Callable[[str], None] = _say_nothing,
) -> tuple[Path, ...]:
    """Write masks in the format given by the name of the output.

    - ``.seg.nrrd``: segmentation of 3D Slicer, which preserves overlapping structures;
    - ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``: one label map, with a table ``.labels.json`` next to it;
    - a folder (existing, or a name without suffix or ending in ``/``): one NIfTI file per structure;
    - ``.rtstruct.dcm``: DICOM structure set of a DICOM scan, for treatment planning systems;
    - ``.seg.dcm``: DICOM segmentation of a DICOM scan.

    Args:
        segmentation: Masks to write.
        path: Path of the output.
        names: Output names keyed by structure; other structures keep their own.
        source: DICOM series of the scan (see ``read_dicom``), required for the DICOM formats.
        short_names: Whether to limit names in a structure set to 16 characters.
        append_to: Existing structure set whose regions are included in the new one.
        presentation: Label and description of a DICOM series, and whether its names may be in any script.
        segmentation_type: Type of a DICOM segmentation: ``auto``, ``binary`` or ``labelmap``.
        styles: How structures are written beyond their names, by structure: color, type, limits of
            contours.
        on_warning: Callback for each sentence that the user should see, such as what was left out.

    Returns:
        Paths of the files that were written.

    Raises:
        OverlapError: The output is a label map and structures overlap.
        DiskFullError: The disk is full.
        OutputError: The suffix is unknown, the format requires a DICOM scan, or the output cannot be written.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> result = FakeSegmenter().segment(phantom(), ["liver", "left kidney"])
        >>> [path.name for path in write_result(result, "out.seg.nrrd")]
        ['out.seg.nrrd']
    """
    if is_folder(path):
        return write_mask_folder(segmentation, path, names=names)
    path = Path(path)
    if _has_suffix(path, _SEG_NRRD):
        write_seg_nrrd(segmentation, path, names=names, styles=styles)
        return (path,)
    if not is_dicom_output(path):
        _require_labelmap(path)
        return write_labelmap(segmentation, path, names=names, styles=styles)
    scan = require_writable(path, source, append_to=append_to)
    assert scan is not None
    if _has_suffix(path, _RTSTRUCT):
        from textsegment.files.rtstruct.writer import write_rtstruct

        warnings = write_rtstruct(
            segmentation,
            scan,
            path,
            names=names,
            short_names=short_names,
            append_to=append_to,
            presentation=presentation,
            styles=styles,
        )
    else:
        from textsegment.files.dicom_seg.writer import write_dicom_seg

        warnings = write_dicom_seg(
            segmentation,
            scan,
            path,
            names=names,
            presentation=presentation,
            segmentation_type=segmentation_type,
            styles=styles,
        )
    for sentence in warnings:
        on_warning(sentence)
    return (path,)


def require_writable(
    path: Path | str, source: SourceSeries | None, *, append_to: Path | str | None = None
) -> SourceSeries | None:
    """Check that the format of an output suits the scan, before any masks exist; returns the DICOM series.

    Raises:
        OutputError: The format is a DICOM format, and the scan is not a DICOM scan or cannot be referenced by
            a DICOM object.
        InputNotFoundError: The structure set to extend does not exist.
        InputUnreadableError: The structure set to extend is damaged or not a structure set.
        InputError: The structure set to extend belongs to another patient, other images, or another frame of
            reference.
    """
    if not is_dicom_output(path):
        return source
    if source is None:
        raise OutputError(
            "A DICOM structure set or segmentation needs a scan that was read from DICOM files.",
            f"Give the DICOM folder, or write {_SEG_NRRD}, {LABELMAP_SUFFIXES[0]} or a folder.",
        )
    source.require_referable()
    if append_to is not None and is_structure_set(path):
        from textsegment.files.dicom.header import quiet_pydicom
        from textsegment.files.rtstruct.extension import copy_to_extend

        with quiet_pydicom():
            copy_to_extend(append_to, source)
    return source


def result_files(names: Sequence[str], path: Path | str) -> tuple[Path, ...]:
    """Return the paths that ``write_result`` would create, without writing anything.

    Args:
        names: Names of the structures, as they will be written.
        path: Path of the output.

    Raises:
        OutputError: The suffix is unknown.
    """
    if is_folder(path):
        return tuple(Path(path) / f"{stem}.nii.gz" for stem in file_stems(names))
    path = Path(path)
    if _has_suffix(path, _SEG_NRRD) or is_dicom_output(path):
        return (path,)
    _require_labelmap(path)
    return (path, table_of(path))


def is_folder(path: Path | str) -> bool:
    """Return whether an output is a folder: existing, without suffix, or ending in ``/``."""
    return str(path).endswith(("/", os.sep)) or Path(path).is_dir() or not Path(path).suffix


def is_dicom_output(path: Path | str) -> bool:
    """Return whether an output is a DICOM structure set or segmentation."""
    return not is_folder(path) and any(_has_suffix(Path(path), s) for s in (_RTSTRUCT, _DICOM_SEG))


def is_structure_set(path: Path | str) -> bool:
    """Return whether an output is a DICOM structure set."""
    return not is_folder(path) and _has_suffix(Path(path), _RTSTRUCT)


def _has_suffix(path: Path, suffix: str) -> bool:
    """Return whether a file name has a suffix, or consists of it alone (``rtstruct.dcm``)."""
    return f".{path.name.lower()}".endswith(suffix)


def _require_labelmap(path: Path) -> None:
    if not path.name.lower().endswith(LABELMAP_SUFFIXES):
        raise OutputError(
            "The suffix of the output is not known.",
            f"Use {_SEG_NRRD}, {', '.join(LABELMAP_SUFFIXES)}, {_RTSTRUCT}, {_DICOM_SEG}, or a folder.",
        )
