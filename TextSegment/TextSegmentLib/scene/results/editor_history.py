"""Undo steps in Slicer's Segment Editor: each change the module makes to segments is a step of its own."""

from __future__ import annotations

from typing import Any

import slicer

from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP, segments_of


class EditorHistory:
    """Saver of undo states in the Segment Editor, before the module adds or removes segments.

    Without it, undoing a brush stroke in the editor would also undo everything the module did after it.
    """

    def __init__(self) -> None:
        self._left: dict[str, int] | None = None

    def save(self, segmentation_node: Any) -> None:
        """Save an undo state, unless nobody else has edited since the module's last change."""
        if _times(segmentation_node) != self._left:
            self.save_always(segmentation_node)

    def save_always(self, segmentation_node: Any) -> None:
        """Save an undo state, so that the editor can restore what is about to be removed."""
        # The editor exists only once its module was opened; before that there is nothing to undo.
        widget = getattr(slicer.modules, "SegmentEditorWidget", None)
        editor = getattr(widget, "editor", None)
        if editor is not None and editor.segmentationNodeID() == segmentation_node.GetID():
            editor.saveStateForUndo()

    def leave(self, segmentation_node: Any) -> None:
        """Note that the module has finished its change: any later difference is somebody else's edit."""
        self._left = _times(segmentation_node)


def _times(segmentation_node: Any) -> dict[str, int]:
    times = {}
    for segment_id, segment in segments_of(segmentation_node):
        image = segment.GetRepresentation(BINARY_LABELMAP)
        times[segment_id] = 0 if image is None else image.GetMTime()
    return times
