"""The segmentation node that takes the results of a run: its place in space and in the subject hierarchy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from textsegment.errors import OutputError

from TextSegmentLib.scene.segments import BINARY_LABELMAP

_TYPE = "vtkMRMLSegmentationNode"
_REFERENCE = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()


@dataclass(frozen=True)
class Before:
    """What a run changed of an empty segmentation that the user gave, to be taken back."""

    transform_id: str | None
    reference_id: str | None
    geometry: str


class Target:
    """Where the results of one run go.

    Args:
        volume_node: The volume that is segmented.
        segmentation_node: The user's choice; None for a new one beside the volume.

    Raises:
        OutputError: The results cannot go into this segmentation.
    """

    def __init__(self, volume_node: Any, segmentation_node: Any = None) -> None:
        self._was_made = segmentation_node is None
        self._volume = _weak(volume_node)
        if segmentation_node is not None:
            _require_labelmaps(segmentation_node)
        node = segmentation_node or _new_beside(volume_node)
        node.CreateDefaultDisplayNodes()  # where there are none
        self._node = _weak(node)
        self._before: Before | None = None
        if node.GetSegmentation().GetNumberOfSegments() == 0:
            self._before = _before(node)
            node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        if self._before is not None or not _reference_geometry(node):
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        self.volume_to_segmentation()

    @property
    def node(self) -> Any:
        """The segmentation node, None once it was deleted or the scene was closed."""
        return _alive(self._node)

    @property
    def volume_node(self) -> Any:
        """The volume node, None once it was deleted or the scene was closed."""
        return _alive(self._volume)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about this choice."""
        node, volume = self.node, self.volume_node
        if _reference_geometry(node) == _geometry_of(volume):
            return ()
        return (
            _(
                "The segmentation was made for another image: when it is saved, Slicer may resample the "
                "segments to one grid."
            ),
        )

    def volume_to_segmentation(self) -> vtk.vtkMatrix4x4:
        """Return the map from the volume's space to the segmentation's, both before their parent transforms.

        Raises:
            OutputError: It is no matrix.
        """
        theirs, ours = self.volume_node.GetParentTransformNode(), self.node.GetParentTransformNode()
        matrix = vtk.vtkMatrix4x4()
        if theirs is ours:
            return matrix
        some, other = (theirs, ours) if theirs else (ours, theirs)
        if not some.IsTransformToNodeLinear(other):
            raise OutputError(
                _("The segmentation is under another non-linear transform than the volume."),
                _("Choose a new segmentation, or put both under the same transform."),
            )
        slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(theirs, ours, matrix)
        return matrix

    def place(self, labelmap: slicer.vtkOrientedImageData) -> vtk.vtkMatrix4x4:
        """Move a label map from the volume's space to the segmentation's; no voxel changes. Return the map.

        Raises:
            OutputError: The transforms do not allow it.
        """
        image_to_volume = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(image_to_volume)
        image_to_segmentation = vtk.vtkMatrix4x4()
        matrix = self.volume_to_segmentation()
        vtk.vtkMatrix4x4.Multiply4x4(matrix, image_to_volume, image_to_segmentation)
        labelmap.SetGeometryFromImageToWorldMatrix(image_to_segmentation)
        return matrix

    def take_back(self) -> None:
        """Remove the node that was made for the run, or restore what it changed, if no segment is left."""
        node = self.node
        if node is None or node.GetSegmentation().GetNumberOfSegments() > 0:
            return
        if self._was_made:
            node.GetScene().RemoveNode(node)
        elif self._before is not None:
            node.SetAndObserveTransformNodeID(self._before.transform_id)
            node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), self._before.reference_id)
            node.GetSegmentation().SetConversionParameter(_REFERENCE, self._before.geometry)


def _new_beside(volume_node: Any) -> Any:
    scene = volume_node.GetScene()
    name = _("{volume} segmentation").format(volume=volume_node.GetName() or _("Unnamed"))
    node = scene.AddNewNodeByClass(_TYPE, scene.GenerateUniqueName(name))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    above = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(volume_node))
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), above)
    return node


def _require_labelmaps(node: Any) -> None:
    if not node.IsA(_TYPE) or node.GetScene() is None:
        raise OutputError(_("This node is no segmentation."), _("Choose a segmentation, or a new one."))
    if node.GetSegmentation().GetSourceRepresentationName() != BINARY_LABELMAP:
        raise OutputError(
            _("The segmentation holds surfaces, not label maps."),
            _("Choose a new segmentation, or make label maps the source in the module Segmentations."),
        )


def _before(node: Any) -> Before:
    return Before(
        node.GetTransformNodeID(),
        node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole()),
        _reference_geometry(node),
    )


def _reference_geometry(node: Any) -> str:
    return node.GetSegmentation().GetConversionParameter(_REFERENCE)


def _geometry_of(volume_node: Any) -> str:
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return slicer.vtkSegmentationConverter.SerializeImageGeometry(
        matrix, volume_node.GetImageData().GetExtent()
    )


def _weak(node: Any) -> vtk.vtkWeakReference:
    reference = vtk.vtkWeakReference()
    reference.Set(node)
    return reference


def _alive(reference: vtk.vtkWeakReference) -> Any:
    node = reference.Get()
    return node if node is not None and node.GetScene() is not None else None
