"""The undo of Slicer's Segment Editor: what the module does to segments is a step of its own there."""

from __future__ import annotations

from typing import Any

import slicer

from TextSegmentLib.scene.segments import BINARY_LABELMAP, segments_of


class EditorHistory:
    """Saves a state for the editor's undo before the module adds or removes segments.

    Without it, one undo in the editor would take back a stroke of a brush, and with it all that came after.
    """

    def __init__(self) -> None:
        self._left: dict[str, int] | None = None

    def save(self, segmentation_node: Any) -> None:
        """Let the editor go back to just this moment, unless nobody else has edited since the last change."""
        if _times(segmentation_node) != self._left:
            self.save_always(segmentation_node)

    def save_always(self, segmentation_node: Any) -> None:
        """Let the editor go back to just this moment: what is removed can be brought back there."""
        # There is no editor before its module was opened, and then nothing to undo.
        widget = getattr(slicer.modules, "SegmentEditorWidget", None)
        editor = getattr(widget, "editor", None)
        if editor is not None and editor.segmentationNodeID() == segmentation_node.GetID():
            editor.saveStateForUndo()

    def leave(self, segmentation_node: Any) -> None:
        """The module has made its change: what is different at the next call, somebody else did."""
        self._left = _times(segmentation_node)


def _times(segmentation_node: Any) -> dict[str, int]:
    times = {}
    for segment_id, segment in segments_of(segmentation_node):
        image = segment.GetRepresentation(BINARY_LABELMAP)
        times[segment_id] = 0 if image is None else image.GetMTime()
    return times
