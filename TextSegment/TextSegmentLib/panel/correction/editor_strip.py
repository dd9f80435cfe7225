"""Slicer's Segment Editor in the panel, cut down to the tools that a correction needs."""

from __future__ import annotations

from typing import Any

import qt
import slicer

_TAG = "TextSegmentCorrection"
_EFFECTS = ["Paint", "Draw", "Erase", "Scissors"]
# The panel has these itself, or they are of no use here. Not all of them are in every version of Slicer.
_HIDDEN = (
    "segmentationNodeSelectorVisible",
    "sourceVolumeNodeSelectorVisible",
    "maskingSectionVisible",
    "specifyGeometryButtonVisible",
    "show3DButtonVisible",
    "addRemoveSegmentButtonsVisible",
    "switchToSegmentationsButtonVisible",
    "unorderedEffectsVisible",
    "undoEnabled",
)
_TABLE = "SegmentsTableResizableFrame"
_BESIDE = "horizontalLayout"  # of the tools and their options


class EditorStrip:
    """Paint, draw, erase and scissors for one segment at a time; made when it is first needed.

    Args:
        layout: Layout that receives the editor.
        above: Widget in it that the editor comes below.
    """

    def __init__(self, layout: Any, above: Any) -> None:
        self._layout, self._above = layout, above
        self._editor: Any = None

    @property
    def editor(self) -> Any:
        """The ``qMRMLSegmentEditorWidget``; None until it is first needed."""
        return self._editor

    def edit(self, segmentation_node: Any, volume_node: Any, segment_id: str, *, can_edit: bool) -> None:
        """Offer the tools for a segment.

        Args:
            segmentation_node: Segmentation that holds the segment.
            volume_node: Volume that it was made on.
            segment_id: Identifier of the segment.
            can_edit: Whether it may be changed; accepted segments may not.
        """
        editor = self._editor or self._make()
        editor.setMRMLSegmentEditorNode(_editor_node())  # does nothing if it is the same
        if editor.segmentationNode() is not segmentation_node:
            editor.setSegmentationNode(segmentation_node)
        if editor.sourceVolumeNode() is not volume_node:
            editor.setSourceVolumeNode(volume_node)
        if editor.currentSegmentID() != segment_id:
            editor.setCurrentSegmentID(segment_id)
        if not can_edit:
            self.put_down()
        editor.enabled = can_edit

    def take_up(self, effect: str) -> None:
        """Activate a tool, so that the user can draw at once."""
        if self._editor is not None:
            self._editor.setActiveEffectByName(effect)

    def put_down(self) -> None:
        """Deactivate the current tool."""
        if self._editor is not None:
            self._editor.setActiveEffect(None)

    def leave(self) -> None:
        """Deactivate the tools and let go of the views, because the user does something else."""
        if self._editor is not None:
            self.put_down()
            self._editor.removeViewObservations()

    def close(self) -> None:
        """Let go of the segmentation, because the scene is being closed."""
        if self._editor is not None:
            self.leave()
            self._editor.setSegmentationNode(None)

    def _make(self) -> Any:
        editor = slicer.qMRMLSegmentEditorWidget()
        # First the node, which the effects ask for; then the scene, of which the editor would choose nodes.
        editor.setMRMLSegmentEditorNode(_editor_node())
        for name in _HIDDEN:
            if hasattr(editor, name):
                setattr(editor, name, False)
        editor.setEffectNameOrder(_EFFECTS)
        editor.effectColumnCount = len(_EFFECTS) + 1  # and the arrow, in one row
        editor.effectButtonStyle = qt.Qt.ToolButtonTextUnderIcon
        editor.setMRMLScene(slicer.mrmlScene)
        _put_options_below(editor)
        for table in slicer.util.findChildren(editor, name=_TABLE):
            table.visible = False  # the panel's own table chooses the segment
        self._layout.insertWidget(self._layout.indexOf(self._above) + 1, editor)
        self._editor = editor
        return editor


def _put_options_below(editor: Any) -> None:
    """Move the options of a tool below the row of tools: beside them the panel would grow wider."""
    for layout in editor.layout().children():
        if layout.objectName == _BESIDE:
            layout.setDirection(qt.QBoxLayout.TopToBottom)


def _editor_node() -> Any:
    """Return the editor's node of the scene, which keeps drawing from erasing other segments."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(_TAG)
        node = scene.AddNode(node)
    node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    return node
