"""DICOM series of slices, and simple enhanced multi-frame objects.

pydicom reads the headers, and ``dicom_stack`` makes the grid of them; GDCM, inside SimpleITK, decodes the
pixels (all transfer syntaxes) and applies each file's own rescale slope and intercept. SimpleITK's series
reader is not used: it trusts the first file's scaling, ignores gantry tilt, and stacks uneven slices evenly.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from textsegment.errors import (
    InputError,
    InputNotFoundError,
    InputUnreadableError,
    ModalityError,
    VolumeInvalidError,
)
from textsegment.files.dicom_header import (
    Found,
    ImageHeader,
    find_images,
    frames_of,
    quiet_pydicom,
    read_headers,
)
from textsegment.files.dicom_source import DicomScan, source_series
from textsegment.files.dicom_stack import Stack, stack_planes
from textsegment.volume import MODALITIES, Volume, modality_code

# A series of fewer planes is a scout or a screenshot if there is a longer one beside it.
_FEWEST_PLANES = 4


def read_series(folder_or_file: Path | str, *, modality: str | None = None) -> Volume:
    """Read the voxels alone, see ``read_dicom``."""
    return read_dicom(folder_or_file, modality=modality).volume


def read_dicom(folder_or_file: Path | str, *, modality: str | None = None) -> DicomScan:
    """Read the scan in a DICOM folder, or the series that a DICOM file belongs to.

    Slices are sorted by their position. Gantry tilt is kept as a sheared affine. Missing or unevenly spaced
    slices are interpolated onto a regular grid, with a warning. PET stays in the unit of the file.

    Args:
        folder_or_file: A folder (folders below it are searched if it holds no image itself), or one file:
            the other slices of its series are taken from the folder that it lies in.
        modality: Overrules the one in the files, and chooses among several series.

    Raises:
        InputNotFoundError: No such file or folder.
        InputUnreadableError: No DICOM files, or damaged ones.
        InputError: The folder holds several series and none is clearly the scan.
        VolumeInvalidError: No scan (structure set, segmentation, …), colours, a mosaic, or several images of
            the same place.
        GeometryError: The slices make no regular grid, or do not say where they lie.
        ModalityError: The modality is not one that can be segmented.
    """
    path = Path(folder_or_file)
    wanted = modality_code(modality) if modality is not None else None
    with quiet_pydicom():
        headers, warnings = _choose(path, wanted)
        found = headers[0].modality
        frames = list(frames_of(_without_repeats(headers)))
    if wanted is None and found not in MODALITIES:
        raise ModalityError(
            f"The series has the modality {found}, which cannot be segmented.",
            f"If it is one of {', '.join(MODALITIES)} after all, say so with --modality.",
        )
    stack = stack_planes([plane for _, _, plane in frames])
    frames = [frames[index] for index in stack.order]
    voxels = _load(stack, [(path, frame) for path, frame, _ in frames])
    volume = Volume(voxels, stack.geometry, wanted or found, warnings + stack.warnings)
    datasets = {header.path: header.dataset for header in headers}
    return DicomScan(volume, source_series(stack.geometry, frames, stack.places.tolist(), datasets))


def _choose(path: Path, wanted: str | None) -> tuple[list[ImageHeader], tuple[str, ...]]:
    """Return the headers of the series to read, and what the user should know about the choice."""
    if not path.exists():
        raise InputNotFoundError("There is no such file or folder.", "Check the path.")
    if not os.access(path, os.R_OK):
        raise InputUnreadableError("The image may not be read.", "Check its permissions.")
    if path.is_file():
        found = read_headers([path])
        _require_images(found)
        series = found.images[0].series
        beside = found if found.images[0].frame_count > 1 else find_images(path.parent)
        headers = [header for header in beside.images if header.series == series]
        return _without_scouts(headers), ()
    found = find_images(path)
    _require_images(found)
    groups: dict[str, list[ImageHeader]] = defaultdict(list)
    for header in _without_scouts(found.images):
        groups[header.series].append(header)
    headers, warnings = _choose_series(list(groups.values()), wanted)
    if found.damaged:
        warnings += (f"{found.damaged} DICOM files of the folder are damaged and were left out.",)
    return headers, warnings


def _require_images(found: Found) -> None:
    if found.images:
        return
    if found.others:
        kinds = ", ".join(sorted(found.others - {"?"})) or "other objects"
        raise VolumeInvalidError(f"There is no scan among the DICOM files, only {kinds}.", "Give the scan.")
    if found.damaged:
        raise InputUnreadableError("The DICOM files are damaged.", "They were cut off: copy them again.")
    raise InputUnreadableError("There are no DICOM images.", "Give a folder that holds the slices of a scan.")


def _without_scouts(headers: Sequence[ImageHeader]) -> list[ImageHeader]:
    scans = [header for header in headers if not header.is_type("LOCALIZER")]
    return scans or list(headers)


def _choose_series(
    groups: list[list[ImageHeader]], wanted: str | None
) -> tuple[list[ImageHeader], tuple[str, ...]]:
    matching = [group for group in groups if group[0].modality == wanted] or groups
    if len(matching) == 1:
        return matching[0], ()
    long = [group for group in matching if _plane_count(group) >= _FEWEST_PLANES]
    if len(long) == 1:
        return long[0], (f"The folder holds several series: {_name(long[0])} was taken.",)
    names = "; ".join(sorted(_name(group) for group in matching))
    raise InputError(
        f"The folder holds several series: {names}.", "Give one file of the series that you want."
    )


def _plane_count(group: list[ImageHeader]) -> int:
    return sum(header.frame_count for header in group)


def _name(group: list[ImageHeader]) -> str:
    return f"series {group[0].series_number} ({group[0].modality}, {_plane_count(group)} slices)"


def _without_repeats(headers: list[ImageHeader]) -> list[ImageHeader]:
    """Leave out copies of the same file; anonymised files may have empty or equal identifiers."""
    seen: dict[tuple[str, str], ImageHeader] = {}
    for number, header in enumerate(headers):
        identifier = str(header.dataset.get("SOPInstanceUID") or number)
        seen.setdefault((identifier, str(header.dataset.get("ImagePositionPatient"))), header)
    return list(seen.values())


def _load(stack: Stack, sources: Sequence[tuple[Path, int]]) -> NDArray[Any]:
    """Decode the sorted planes and put them on the grid; the result is ``[i, j, k]``, i fastest."""
    columns, rows, depth = stack.geometry.spatial_shape
    voxels_kji = np.empty((len(sources), rows, columns), dtype=np.int16)
    decoded: dict[Path, NDArray[Any]] = {}
    for index, (path, frame) in enumerate(sources):
        if path not in decoded:
            decoded = {path: _decode(path)}
        frames_kji = decoded[path]
        if frames_kji.shape[1:] != (rows, columns) or frame >= len(frames_kji):
            raise InputUnreadableError("A DICOM file does not hold the pixels that it announces.")
        voxels_kji = _widened(voxels_kji, frames_kji.dtype)
        voxels_kji[index] = frames_kji[frame]
    if depth != len(sources) or stack.fraction.any():
        voxels_kji = _interpolated(voxels_kji, stack)
    return voxels_kji.transpose(2, 1, 0)


def _decode(path: Path) -> NDArray[Any]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        frames_kji: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise InputUnreadableError(
            "The pixels of a DICOM file cannot be decoded: it is cut off, or of an unknown kind.",
            "Copy the series again.",
        ) from error
    if frames_kji.ndim != 3:
        raise VolumeInvalidError("The DICOM image is a colour picture.", "Choose the series of the scan.")
    return frames_kji


def _widened(voxels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the voxels in a type that holds the other one too; fractions are kept as float32."""
    common = np.result_type(voxels.dtype, dtype)
    if common.kind == "f":
        common = np.dtype(np.float32)
    return voxels.astype(common, copy=False)


def _interpolated(voxels_kji: NDArray[Any], stack: Stack) -> NDArray[Any]:
    filled = np.empty((len(stack.lower), *voxels_kji.shape[1:]), dtype=voxels_kji.dtype)
    for k, (lower, fraction) in enumerate(zip(stack.lower, stack.fraction, strict=True)):
        if fraction == 0:
            filled[k] = voxels_kji[lower]
            continue
        mixed = (1 - fraction) * voxels_kji[lower] + fraction * voxels_kji[lower + 1]
        filled[k] = np.rint(mixed) if filled.dtype.kind != "f" else mixed
    return filled
