"""qMRMLSegmentEditorWidget: which segment is edited; buttons of tools that do nothing."""

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Signal

from slicer_host.widgets.scene_widget import qMRMLWidget
from slicer_host.widgets.stand_in import cpp_property


def _switch(part: str):
    """Returns a property that shows or hides a part; it is only kept, since the part is missing here."""
    return cpp_property(
        "bool",
        lambda self: self._shown.get(part, True),
        lambda self, shown: self._shown.update({part: shown}),
    )


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Keeps its choice in a real vtkMRMLSegmentEditorNode."""

    currentSegmentIDChanged = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self._history = slicer.vtkSegmentationHistory()
        self._shown: dict[str, bool] = {}
        self._names: list[str] = []
        self._columns, self._style = 2, QtCore.Qt.ToolButtonIconOnly
        box, self._options = QtWidgets.QFrame(), QtWidgets.QGroupBox()
        box.setObjectName("EffectsGroupBox")
        self._options.setObjectName("OptionsGroupBox")
        self._options.hide()
        self._effects = QtWidgets.QGridLayout(box)
        beside = QtWidgets.QHBoxLayout()
        beside.setObjectName("horizontalLayout")
        beside.addWidget(box)
        beside.addWidget(self._options)
        outer = QtWidgets.QGridLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(beside, 0, 0)

    segmentationNodeSelectorVisible = _switch("segmentationNodeSelector")
    sourceVolumeNodeSelectorVisible = _switch("sourceVolumeNodeSelector")
    maskingSectionVisible = _switch("maskingSection")
    specifyGeometryButtonVisible = _switch("specifyGeometryButton")
    show3DButtonVisible = _switch("show3DButton")
    addRemoveSegmentButtonsVisible = _switch("addRemoveSegmentButtons")
    switchToSegmentationsButtonVisible = _switch("switchToSegmentationsButton")
    unorderedEffectsVisible = _switch("unorderedEffects")
    undoEnabled = _switch("undo")

    def _set_columns(self, count: int) -> None:
        self._columns = count
        self._update_effects()

    def _set_style(self, style: int) -> None:
        self._style = QtCore.Qt.ToolButtonStyle(style)
        self._update_effects()

    effectColumnCount = cpp_property("int", lambda self: self._columns, _set_columns)
    effectButtonStyle = cpp_property("int", lambda self: self._style, _set_style)

    def setEffectNameOrder(self, names) -> None:
        """Sets which tools come first; here there are no others."""
        if self._node is None:
            raise RuntimeError(
                "Slicer's editor reports an error if its effects are shown before it has a node"
            )
        self._names = ["None", *names]
        self._update_effects()

    def _update_effects(self) -> None:
        while self._effects.count():
            self._effects.takeAt(0).widget().deleteLater()
        for number, name in enumerate(self._names):
            button = QtWidgets.QToolButton()
            button.setText(name)
            button.setCheckable(True)
            button.setToolButtonStyle(self._style)
            active = "" if name == "None" else name
            button.clicked.connect(lambda _checked=False, name=active: self.setActiveEffectByName(name))
            self._effects.addWidget(button, number // self._columns, number % self._columns)

    def setActiveEffectByName(self, name: str) -> None:
        """Chooses a tool; what it offers is beside the tools, unless somebody has moved it."""
        self._node.SetActiveEffectName(name)
        self._options.setTitle(name)
        self._options.setVisible(bool(name))
        for number in range(self._effects.count()):
            button = self._effects.itemAt(number).widget()
            button.setChecked(button.text == name)

    def setActiveEffect(self, effect) -> None:
        """Puts the tool down; there are no objects for the tools here."""
        if effect is not None:
            raise NotImplementedError("the stand-in has no effects")
        if self._node is not None:
            self.setActiveEffectByName("")

    def removeViewObservations(self) -> None:
        """Lets go of the views, which this stand-in does not observe."""

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
