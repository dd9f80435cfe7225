"""The option ``--roi``, which limits segmentation to a part of the image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textsegment.effort import around, region_in
from textsegment.errors import SettingsError, UnknownStructureError
from textsegment.geometry import Box

if TYPE_CHECKING:
    from textsegment.files.scan import Scan

_USUAL_MARGIN_MM = 20.0
_FORMS = (
    "Give two opposite corners in millimetres, R,A,S,R,A,S, as 3D Slicer shows them; or a result of the same "
    "scan, a structure and a margin in millimetres: first.seg.nrrd:liver:20."
)


def read_region(text: str, scan: Scan) -> Box:
    """Return the box of voxels that ``--roi`` denotes in a scan; it may extend beyond the volume.

    Raises:
        SettingsError: If the option cannot be parsed.
        UnknownStructureError: If the file does not contain the structure, or it is empty there.
        TextSegmentError: If the file cannot be read.
    """
    numbers = _numbers(text)
    if numbers is not None:
        return region_in(scan.volume.geometry, numbers[:3], numbers[3:])
    file, structure, margin_mm = _file_structure_margin(text)
    from textsegment.files.masks import read_masks

    given = read_masks(file, scan)
    found = [m for m in given if m.structure.casefold() == structure.casefold() and not m.statistics.is_empty]
    if not found:
        there = ", ".join(mask.structure for mask in given if not mask.statistics.is_empty)
        raise UnknownStructureError(
            f"There is no structure {structure!r} in the file of --roi.", f"There are: {there}."
        )
    return around(found[0].box, scan.volume.geometry, margin_mm)


def check_region(text: str) -> None:
    """Check the syntax of the option, before a scan is read.

    Raises:
        SettingsError: If the option cannot be parsed.
    """
    if _numbers(text) is None:
        _file_structure_margin(text)


def _numbers(text: str) -> list[float] | None:
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        return None
    if len(numbers) != 6:
        raise SettingsError("--roi takes six numbers.", _FORMS)
    return numbers


def _file_structure_margin(text: str) -> tuple[Path, str, float]:
    head, _, last = text.rpartition(":")
    try:
        margin_mm = float(last)
    except ValueError:
        head, margin_mm = text, _USUAL_MARGIN_MM
    file, _, structure = head.rpartition(":")
    if not file or not structure.strip() or not 0 <= margin_mm < 1000:
        raise SettingsError("--roi cannot be read.", _FORMS)
    return Path(file), " ".join(structure.split()), margin_mm
