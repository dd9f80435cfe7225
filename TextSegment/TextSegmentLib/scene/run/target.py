"""Segmentation node that receives a run's results: its place in space and in the subject hierarchy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from textsegment.errors import OutputError

from TextSegmentLib.history.packed_mask import PackedMask
from TextSegmentLib.scene.alignment import (
    REFERENCE,
    has_grid_of,
    reference_geometry,
    volume_to_segmentation,
)
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP
from TextSegmentLib.scene.weak_node import WeakNode

_TYPE = "vtkMRMLSegmentationNode"


@dataclass(frozen=True)
class Before:
    """State of an empty segmentation of the user's before a run changed it, so that it can be restored."""

    transform_id: str | None
    reference_id: str | None
    geometry: str


class Target:
    """Destination of one run's results, fixed when the run begins; create it with ``prepare``.

    Args:
        volume_node: Volume that is segmented.
        segmentation_node: Segmentation that receives the segments.
        was_made: Whether the segmentation was created for the run.
        before: State of the segmentation before the run; None if nothing was changed.

    Attributes:
        warnings: Sentences for the user about this choice of segmentation.
    """

    def __init__(
        self, volume_node: Any, segmentation_node: Any, *, was_made: bool, before: Before | None
    ) -> None:
        self._volume, self._node = WeakNode(volume_node), WeakNode(segmentation_node)
        self._was_made, self._before = was_made, before
        # Fixed now: either node may be moved during the run, but all its segments must stay aligned.
        self._matrix = volume_to_segmentation(volume_node, segmentation_node)
        self.warnings: tuple[str, ...] = ()
        if not has_grid_of(segmentation_node, volume_node):
            self.warnings = (
                _(
                    "The segmentation was made for another image: when it is saved, Slicer may resample the "
                    "segments to one grid."
                ),
            )

    @classmethod
    def prepare(cls, volume_node: Any, segmentation_node: Any = None) -> Target:
        """Prepare a segmentation to receive results.

        Args:
            volume_node: Volume that is segmented.
            segmentation_node: Segmentation that the user chose; None for a new one beside the volume.

        Raises:
            OutputError: The segmentation cannot receive the results; it is left unchanged.
        """
        was_made = segmentation_node is None
        if segmentation_node is None:
            segmentation_node = _new_beside(volume_node)
        else:
            _require_usable(segmentation_node, volume_node)
        segmentation_node.CreateDefaultDisplayNodes()  # does nothing if there are any
        before = None
        if segmentation_node.GetSegmentation().GetNumberOfSegments() == 0:
            before = _before(segmentation_node)
            segmentation_node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        if before is not None or not reference_geometry(segmentation_node):
            segmentation_node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        return cls(volume_node, segmentation_node, was_made=was_made, before=before)

    @property
    def node(self) -> Any:
        """Segmentation node; None once it was deleted or the scene was closed."""
        return self._node.node

    def place(self, labelmap: slicer.vtkOrientedImageData, packed: PackedMask) -> PackedMask:
        """Move a label map from the volume's space to the segmentation's; its voxels do not change.

        Returns:
            The packed mask in the segmentation's space; see ``moved``.

        Raises:
            OutputError: A non-linear transform now lies between the two nodes.
        """
        volume_to_segmentation(self._volume.node, self.node)
        image_to_volume, image_to_segmentation = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(image_to_volume)
        vtk.vtkMatrix4x4.Multiply4x4(self._matrix, image_to_volume, image_to_segmentation)
        labelmap.SetGeometryFromImageToWorldMatrix(image_to_segmentation)
        return self.moved(packed)

    def moved(self, packed: PackedMask) -> PackedMask:
        """Return a packed mask of the volume's space in the segmentation's."""
        return packed.moved(self._matrix)

    def take_back(self) -> None:
        """Remove the node that the run created, or restore what it changed, if no segment is left."""
        node = self.node
        if node is None or node.GetSegmentation().GetNumberOfSegments() > 0:
            return
        if self._was_made:
            node.GetScene().RemoveNode(node)
        elif self._before is not None:
            node.SetAndObserveTransformNodeID(self._before.transform_id)
            node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), self._before.reference_id)
            node.GetSegmentation().SetConversionParameter(REFERENCE, self._before.geometry)


def _new_beside(volume_node: Any) -> Any:
    scene = volume_node.GetScene()
    name = _("{volume} segmentation").format(volume=volume_node.GetName() or _("Unnamed"))
    node = scene.AddNewNodeByClass(_TYPE, scene.GenerateUniqueName(name))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    above = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(volume_node))
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), above)
    return node


def _require_usable(node: Any, volume_node: Any) -> None:
    if not node.IsA(_TYPE) or node.GetScene() is None:
        raise OutputError(_("This node is no segmentation."), _("Choose a segmentation, or a new one."))
    if node.GetSegmentation().GetSourceRepresentationName() != BINARY_LABELMAP:
        raise OutputError(
            _("The segmentation holds surfaces, not label maps."),
            _("Choose a new segmentation, or make label maps the source in the module Segmentations."),
        )
    if node.GetSegmentation().GetNumberOfSegments() > 0:  # an empty one is put under the volume's transform
        volume_to_segmentation(volume_node, node)


def _before(node: Any) -> Before:
    return Before(
        node.GetTransformNodeID(),
        node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole()),
        reference_geometry(node),
    )
