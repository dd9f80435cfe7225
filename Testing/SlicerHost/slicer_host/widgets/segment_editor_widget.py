"""qMRMLSegmentEditorWidget: which segment of which segmentation is edited; no tools."""

import slicer
from PySide6.QtCore import Signal

from slicer_host.widgets.scene_widget import qMRMLWidget


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Keeps its choice in a real vtkMRMLSegmentEditorNode."""

    currentSegmentIDChanged = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self._history = slicer.vtkSegmentationHistory()

    def setMRMLSegmentEditorNode(self, node) -> None:
        """Sets the node that holds what is edited."""
        self._node = node

    def mrmlSegmentEditorNode(self):
        """Returns the node that holds what is edited."""
        return self._node

    def setSegmentationNode(self, node) -> None:
        """Chooses the segmentation; its first segment becomes the current one."""
        self._node.SetAndObserveSegmentationNode(node)
        ids = list(node.GetSegmentation().GetSegmentIDs()) if node else []
        self.setCurrentSegmentID(ids[0] if ids else "")

    def segmentationNode(self):
        """Returns the segmentation."""
        return self._node.GetSegmentationNode() if self._node else None

    def segmentationNodeID(self) -> str:
        """Returns the identifier of the segmentation, empty for none."""
        node = self.segmentationNode()
        return node.GetID() if node else ""

    def saveStateForUndo(self) -> None:
        """Keeps all segments as they are, in Slicer's own history."""
        self._look_at_segmentation()
        self._history.SaveState()

    def undo(self) -> None:
        """Goes back to the state that was saved last."""
        self._look_at_segmentation()
        self._history.RestorePreviousState()

    def _look_at_segmentation(self) -> None:
        node = self.segmentationNode()
        self._history.SetSegmentation(node.GetSegmentation() if node else None)

    def setSourceVolumeNode(self, node) -> None:
        """Chooses the image behind the segments."""
        self._node.SetAndObserveSourceVolumeNode(node)

    def sourceVolumeNode(self):
        """Returns the image behind the segments."""
        return self._node.GetSourceVolumeNode() if self._node else None

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Chooses the segment to edit."""
        if segment_id != self.currentSegmentID():
            self._node.SetSelectedSegmentID(segment_id)
            self.currentSegmentIDChanged.emit(segment_id)

    def currentSegmentID(self) -> str:
        """Returns the segment to edit, empty for none."""
        return (self._node.GetSelectedSegmentID() or "") if self._node else ""
