"""Which modality a volume has: said by DICOM, by Slicer, by its name, or guessed from its values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.errors import ModalityError
from textsegment.volume import modality_code
from vtk.util import numpy_support

from TextSegmentLib.scene.volume_node import require_scan

# Hounsfield units of air in and around a body; nothing else goes down there.
_AIR_HU = -400
_SAMPLES = 50_000
_QUANTITIES = {"112031": "CT", "110852": "MR", "113041": "PT", "126400": "PT"}
_NAMES = {
    "CT": r"ct|cta|cect|ncct|ldct|hrct|cbct",
    "MR": r"mr|mri|t1|t1w|t2|t2w|flair|dwi|adc|mprage|swi|t1c|t1ce|dixon|vibe",
    "PT": r"pet|pt|suv|fdg|psma",
}


@dataclass(frozen=True)
class ModalityGuess:
    """A modality, and why.

    Attributes:
        code: DICOM code.
        reason: What says so, for the user.
        is_certain: Whether it was said, not guessed.
    """

    code: str
    reason: str
    is_certain: bool


def guess_modality(volume_node: Any) -> ModalityGuess:
    """Return what a volume's modality seems to be; quick.

    Raises:
        VolumeInvalidError: The node is no scan.
    """
    image = require_scan(volume_node)
    for told, reason in (
        (_dicom(volume_node), _("DICOM header")),
        (_quantity(volume_node), _("unit of the voxels")),
    ):
        if told:
            return ModalityGuess(told, reason, True)
    if named := _in_name(volume_node.GetName() or ""):
        return ModalityGuess(named, _("guessed from the name"), False)
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    lowest = values[:: max(values.size // _SAMPLES, 1)].min()
    return ModalityGuess("CT" if lowest < _AIR_HU else "MR", _("guessed from the voxel values"), False)


def _dicom(volume_node: Any) -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume_node.GetScene())
    item = hierarchy.GetItemByDataNode(volume_node)
    key = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return _code(hierarchy.GetItemAttribute(item, key) if item else "")


def _quantity(volume_node: Any) -> str:
    quantity = volume_node.GetVoxelValueQuantity()
    return _QUANTITIES.get(quantity.GetCodeValue() or "", "") if quantity else ""


def _in_name(name: str) -> str:
    found = {code for code, names in _NAMES.items() if _names(names, name)}
    return found.pop() if len(found) == 1 else ""


def _names(names: str, name: str) -> bool:
    """Return whether a name holds one of these words: "ct chest", "CT_7", "CTChest", but not "doctor"."""
    word = rf"(?<![A-Za-z])(?i:{names})(?![A-Za-z])"
    before_another = rf"(?<![A-Za-z])(?:{names.upper()})(?=[A-Z][a-z])"
    return re.search(rf"{word}|{before_another}", name) is not None


def _code(text: str) -> str:
    try:
        return modality_code(text)
    except ModalityError:
        return ""
