"""Navigation: centers the views on a segment, and opens it in the Segment Editor."""

from __future__ import annotations

from typing import Any

import slicer

_EDITOR = "SegmentEditor"


def center_views(segmentation_node: Any, segment_id: str) -> None:
    """Center all slice views and camera focal points on a segment; does nothing if the segment is empty."""
    bounds = [0.0] * 6
    segmentation_node.GetSegmentation().GetSegment(segment_id).GetBounds(bounds)
    if bounds[0] > bounds[1]:
        return
    center_ras = [0.0, 0.0, 0.0]
    segmentation_node.GetSegmentCenterRAS(segment_id, center_ras)
    scene = segmentation_node.GetScene()
    slices = slicer.vtkMRMLSliceNode
    slices.JumpAllSlices(scene, *center_ras, slices.CenteredJumpSlice)
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLCameraNode")):
        _focus(scene.GetNthNodeByClass(number, "vtkMRMLCameraNode"), center_ras)


def _focus(camera_node: Any, center_ras: list[float]) -> None:
    """Translate a camera, keeping its viewing direction and distance."""
    step = [new - old for new, old in zip(center_ras, camera_node.GetFocalPoint(), strict=True)]
    position = [old + by for old, by in zip(camera_node.GetPosition(), step, strict=True)]
    camera_node.SetFocalPoint(*center_ras)
    camera_node.SetPosition(*position)
    camera_node.ResetClippingRange()


def open_editor(segmentation_node: Any, segment_id: str | None, volume_node: Any) -> None:
    """Open the Segment Editor with a segment selected.

    Args:
        segmentation_node: Segmentation node to edit.
        segment_id: Identifier of the segment to select; None to leave the choice to the editor.
        volume_node: Source volume to show in the editor; None to keep the current one.
    """
    scene = segmentation_node.GetScene()
    editor_node = scene.GetSingletonNode(_EDITOR, "vtkMRMLSegmentEditorNode")
    if editor_node is None:
        editor_node = slicer.vtkMRMLSegmentEditorNode()
        editor_node.SetSingletonTag(_EDITOR)
        editor_node = scene.AddNode(editor_node)
    editor_node.SetAndObserveSegmentationNode(segmentation_node)
    if volume_node is not None:
        editor_node.SetAndObserveSourceVolumeNode(volume_node)
    slicer.util.selectModule(_EDITOR)
    if segment_id is not None:  # last, because the editor selects a segment itself when it opens
        editor_node.SetSelectedSegmentID(segment_id)
