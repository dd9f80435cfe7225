"""qMRMLWidget: a widget that knows the scene."""

from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from slicer_host.widgets.stand_in import StandIn


class qMRMLWidget(StandIn, QtWidgets.QWidget):
    """Root of the panel; hands the scene on to the widgets that the .ui file connects."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene) -> None:
        """Sets the scene and tells the connected widgets."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        """Returns the scene."""
        return self._scene
