"""Masks as segments: each with a label map of its own, cut to its box, so that structures may overlap.

A segmentation node keeps its label maps in its own space, before its parent transform. ``Target`` says how
the volume's space lies in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _
from textsegment.errors import OutputError
from textsegment.geometry import Box
from textsegment.segmentation import StructureMask
from vtk.util import numpy_support

from TextSegmentLib.scene.terminology import look_of
from TextSegmentLib.scene.volume_node import VolumeSource, matrix_of, vtk_matrix

BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
_TAG = "TextSegment."
# What a segmentation file uses as punctuation in tags, and line ends.
_PUNCTUATION = str.maketrans({"|": "/", "~": "-", "\n": " ", "\r": " "})
_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True, eq=False)
class Content:
    """What the label map of a segment says, whatever image holds it.

    Attributes:
        corner_ras: Where the first voxel of its box lies, in the space of the segmentation node.
        digest: Of the voxels of the box.
    """

    corner_ras: NDArray[np.float64]
    digest: bytes

    def equals(self, other: Content | None) -> bool:
        """Whether both have the same voxels at the same place."""
        return (
            other is not None
            and self.digest == other.digest
            and np.allclose(self.corner_ras, other.corner_ras, rtol=0, atol=_SAME_PLACE_MM)
        )

    def to_text(self) -> str:
        """Return it as text, for ``from_text``."""
        return f"{' '.join(f'{part:.6f}' for part in self.corner_ras)} {self.digest.hex()}"

    @classmethod
    def from_text(cls, text: str) -> Content:
        """Return what ``to_text`` was called on.

        Raises:
            ValueError: The text says something else.
        """
        right, anterior, superior, digest = text.split()
        corner_ras = np.array([float(right), float(anterior), float(superior)])
        return cls(corner_ras, bytes.fromhex(digest))

    def moved(self, matrix: vtk.vtkMatrix4x4) -> Content:
        """Return the same content in a space that a matrix leads to."""
        corner = matrix.MultiplyPoint((*self.corner_ras, 1.0))
        return Content(np.array(corner[:3]), self.digest)


class Original:
    """A segment as a run has made it, to see later whether somebody edited it.

    Args:
        content: What it says.
        labelmap: Its image, if that is known, to be quick; not kept alive here.
    """

    def __init__(self, content: Content, labelmap: slicer.vtkOrientedImageData | None = None) -> None:
        self._content = content
        self._labelmap = vtk.vtkWeakReference()
        self._labelmap.Set(labelmap)
        self._time = labelmap.GetMTime() if labelmap is not None else 0

    def is_still(self, segment: Any) -> bool:
        """Whether a segment is as it was; quick, unless another image holds it now."""
        image = segment.GetRepresentation(BINARY_LABELMAP)
        if image is not None and image is self._labelmap.Get() and image.GetMTime() == self._time:
            return True
        return self._content.equals(content_of(segment))


def labelmap_of(mask: StructureMask, source: VolumeSource) -> tuple[slicer.vtkOrientedImageData, Content]:
    """Return a mask, which is not empty, as a label map of its box in the volume's space, and its content.

    Takes time for large masks and touches no node: for the worker.
    """
    image = slicer.vtkOrientedImageData()
    extent = []
    for first, start, stop in zip(source.first_index, mask.box.start, mask.box.stop, strict=True):
        extent += [first + start, first + stop - 1]
    image.SetExtent(extent)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    _voxels_kji(image)[:] = mask.mask.transpose(2, 1, 0)
    image.SetGeometryFromImageToWorldMatrix(vtk_matrix(source.ijk_to_ras))
    content = content_in(image, 1)
    assert content is not None
    return image, content


def add_segment(
    segmentation_node: Any,
    structure: str,
    labelmap: slicer.vtkOrientedImageData,
    tags: Mapping[str, str],
) -> str:
    """Add a label map as a new segment; no other segment is touched.

    Args:
        segmentation_node: Where to.
        structure: Name of the structure and of the segment, with a number behind it if there is such a name.
        labelmap: In the space of the segmentation node; becomes part of it.
        tags: What made it; kept as tags ``TextSegment.…`` of the segment.

    Returns:
        The identifier of the segment.

    Raises:
        OutputError: The segmentation does not take it.
    """
    segmentation = segmentation_node.GetSegmentation()
    look = look_of(structure)
    segment = slicer.vtkSegment()
    segment.SetName(_free_name(segmentation, structure))
    segment.SetNameAutoGenerated(False)
    segment.SetColor(look.color)
    segment.SetColorAutoGenerated(False)
    segment.SetTag(segment.GetTerminologyEntryTagName(), look.terminology)
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY_LABELMAP, labelmap)
    for key, value in tags.items():
        segment.SetTag(f"{_TAG}{key}", value.translate(_PUNCTUATION))
    segment_id = segmentation.GenerateUniqueSegmentID(look.identifier)
    if not segmentation.AddSegment(segment, segment_id):
        raise OutputError(_("The segmentation takes no label map."), _("Choose a new segmentation."))
    return segment_id


def tag_of(segment: Any, key: str) -> str:
    """Return what ``add_segment`` was given for a key; empty if nothing."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(f"{_TAG}{key}", value) else ""


def set_status(segment: Any, status: str) -> None:
    """Set what Slicer's segment table shows: ``NotStarted``, ``InProgress``, ``Completed`` or ``Flagged``."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(segment, getattr(logic, status))


def is_completed(segment: Any) -> bool:
    """Whether somebody has said that a segment is good; see ``set_status``."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return logic.GetSegmentStatus(segment) == logic.Completed


def content_of(segment: Any) -> Content | None:
    """Return what the label map of a segment says now, None if it is empty."""
    image = segment.GetRepresentation(BINARY_LABELMAP)
    return None if image is None else content_in(image, segment.GetLabelValue())


def volume_ml(segment: Any) -> float:
    """Return the millilitres of a segment as it is now."""
    image = segment.GetRepresentation(BINARY_LABELMAP)
    if image is None or not _has_voxels(image):
        return 0.0
    voxel_mm3 = abs(np.linalg.det(matrix_of(image.GetImageToWorldMatrix)[:3, :3]))
    return float(np.count_nonzero(_voxels_kji(image) == segment.GetLabelValue()) * voxel_mm3 / 1000)


def content_in(image: Any, label: int) -> Content | None:
    """Return what a label map says of a value, None if it is nowhere."""
    if not _has_voxels(image):
        return None
    mask_kji = _voxels_kji(image) == label
    box = Box.around(mask_kji)
    if box is None:
        return None
    inside = mask_kji[box.slices]
    extent = image.GetExtent()
    corner = [extent[0] + box.start[2], extent[2] + box.start[1], extent[4] + box.start[0], 1]
    digest = hashlib.sha256(f"{inside.shape}".encode())
    digest.update(np.packbits(inside).data)
    return Content((matrix_of(image.GetImageToWorldMatrix) @ corner)[:3], digest.digest())


def _has_voxels(image: Any) -> bool:
    return image.GetNumberOfPoints() > 0 and image.GetPointData().GetScalars() is not None


def _voxels_kji(image: Any) -> NDArray[Any]:
    i, j, k = image.GetDimensions()
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)


def _free_name(segmentation: Any, structure: str) -> str:
    names = {
        segmentation.GetNthSegment(n).GetName().casefold() for n in range(segmentation.GetNumberOfSegments())
    }
    name, number = structure, 2
    while name.casefold() in names:
        name, number = f"{structure} {number}", number + 1
    return name
