"""Slicer makes every plain tool tip rich text, so that long ones are wrapped; it reads back so."""

from PySide6 import QtCore, QtGui, QtWidgets


class ToolTipWrapper(QtCore.QObject):
    """Filter of the application's events, as ctkToolTipTrapper is in Slicer."""

    def eventFilter(self, watched, event) -> bool:
        """Rewrites a tool tip that was just set; everything else passes."""
        if event.type() != QtCore.QEvent.ToolTipChange or not isinstance(watched, QtWidgets.QWidget):
            return False
        text = watched.toolTip
        if not text or QtGui.Qt.mightBeRichText(text):
            return False
        watched.toolTip = QtGui.Qt.convertFromPlainText(text, QtCore.Qt.WhiteSpaceNormal)
        return True


def install(application) -> None:
    """Starts to wrap tool tips."""
    application.installEventFilter(ToolTipWrapper(application))
