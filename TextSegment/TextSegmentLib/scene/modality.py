"""Modality of a volume node: from DICOM, from the unit of its voxels, or guessed from its name or values."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment import modality
from textsegment.errors import ModalityError
from textsegment.modality import ModalityGuess, ModalitySource, modality_code
from vtk.util import numpy_support

from TextSegmentLib.scene.volume_node import require_scan

_QUANTITIES = {"112031": "CT", "110852": "MR", "113041": "PT", "126400": "PT"}


def guess_modality(volume_node: Any) -> ModalityGuess:
    """Return the most likely modality of a volume, and where it comes from; fast.

    Raises:
        VolumeInvalidError: The node is not a scan.
    """
    image = require_scan(volume_node)
    for told, source in (
        (_dicom(volume_node), ModalitySource.HEADER),
        (_quantity(volume_node), ModalitySource.UNIT),
    ):
        if told:
            return ModalityGuess(told, source)
    voxels_kji = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(
        image.GetDimensions()[::-1]
    )
    return modality.guess_modality(voxels_kji, volume_node.GetName() or "")


def reason_of(guess: ModalityGuess) -> str:
    """Return where a guess comes from, in words for the user."""
    return {
        ModalitySource.HEADER: _("DICOM header"),
        ModalitySource.UNIT: _("unit of the voxels"),
        ModalitySource.NAME: _("guessed from the name"),
        ModalitySource.VALUES: _("guessed from the voxel values"),
    }[guess.source]


def _dicom(volume_node: Any) -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume_node.GetScene())
    item = hierarchy.GetItemByDataNode(volume_node)
    key = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return _code(hierarchy.GetItemAttribute(item, key) if item else "")


def _quantity(volume_node: Any) -> str:
    quantity = volume_node.GetVoxelValueQuantity()
    return _QUANTITIES.get(quantity.GetCodeValue() or "", "") if quantity else ""


def _code(text: str) -> str:
    try:
        return modality_code(text)
    except ModalityError:
        return ""
