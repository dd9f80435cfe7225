"""Preview of a corrected mask in the views, over the segment that it may replace."""

from __future__ import annotations

from typing import Any

import slicer

from TextSegmentLib.correction.correcting import CorrectedMask
from TextSegmentLib.scene.alignment import volume_to_segmentation
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP
from TextSegmentLib.scene.weak_node import WeakNode

_COLORS = {"corrected": (1.0, 0.9, 0.1), "removed": (0.9, 0.1, 0.1)}
_FILL_OPACITY = 0.8


class Preview:
    """Segmentation of its own that is neither listed nor saved; no node of the user's is changed by it.

    It shows the corrected mask, and apart from it the voxels of the segment that would go.

    Args:
        segmentation_node: Segmentation that holds the segment.
        volume_node: Volume that was segmented.
        outcome: Corrected mask, which is not empty.
    """

    def __init__(self, segmentation_node: Any, volume_node: Any, outcome: CorrectedMask) -> None:
        node = slicer.vtkMRMLSegmentationNode()
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node.SetName("TextSegment preview")
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        matrix = volume_to_segmentation(volume_node, segmentation_node)
        for name, mask in (("corrected", outcome.packed), ("removed", outcome.removed)):
            if mask is not None:
                segment = slicer.vtkSegment()
                segment.SetName(name)
                segment.SetColor(_COLORS[name])
                segment.AddRepresentation(BINARY_LABELMAP, mask.moved(matrix).to_labelmap())
                node.GetSegmentation().AddSegment(segment, name)
        display_node = slicer.vtkMRMLSegmentationDisplayNode()
        display_node.SetSaveWithScene(False)
        display_node.SetOpacity2DFill(_FILL_OPACITY)
        scene = segmentation_node.GetScene()
        node.SetAndObserveDisplayNodeID(scene.AddNode(display_node).GetID())
        node.SetAndObserveTransformNodeID(segmentation_node.GetTransformNodeID())
        # It is complete by now: for each later change of a hidden node Slicer reports that the tree lacks it.
        node = scene.AddNode(node)
        self._node = WeakNode(node)

    @property
    def is_visible(self) -> bool:
        """Whether the corrected mask is visible rather than the segment as it is."""
        node = self._node.node
        return bool(node is not None and node.GetDisplayVisibility())

    def show(self, visible: bool) -> None:
        """Show the corrected mask over the segment, or the segment as it is."""
        node = self._node.node
        if node is None or self.is_visible == visible:
            return
        # In silence: for each event of a hidden segmentation Slicer reports that it has no item in the tree.
        display_node = node.GetDisplayNode()
        display_node.DisableModifiedEventOn()
        display_node.SetVisibility(visible)
        display_node.DisableModifiedEventOff()
        for slice_node in slicer.util.getNodesByClass("vtkMRMLSliceNode", node.GetScene()):
            slice_node.Modified()  # so that the views look again

    def close(self) -> None:
        """Remove the preview; harmless if it is gone."""
        node = self._node.node
        if node is not None:
            node.GetScene().RemoveNode(node)
