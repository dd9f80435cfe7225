"""ctkPathLineEdit: a path to type, or to pick in a dialog."""

from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from slicer_host.widgets.stand_in import StandIn, cpp_property


class ctkPathLineEdit(StandIn, QtWidgets.QWidget):
    """An editable list, as in CTK, whose line is the path."""

    currentPathChanged = Signal(str)
    Dirs, Files, Drives, Readable, Writable, Executable = 0x1, 0x2, 0x4, 0x10, 0x20, 0x40

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._box = QtWidgets.QComboBox()
        self._box.setEditable(True)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        self._browse = QtWidgets.QToolButton()
        self._browse.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box, 1)
        layout.addWidget(self._browse)
        self._box.editTextChanged.connect(self.currentPathChanged)
        self.setFocusProxy(self._box)
        self._filters, self._name_filters = 0, []
        self._setting_key = ""

    currentPath = cpp_property(
        "QString", lambda self: self._box.currentText, lambda self, path: self.setCurrentPath(path)
    )
    nameFilters = cpp_property(
        "QStringList",
        lambda self: list(self._name_filters),
        lambda self, value: setattr(self, "_name_filters", value),
    )
    settingKey = cpp_property(
        "QString", lambda self: self._setting_key, lambda self, value: setattr(self, "_setting_key", value)
    )
    filters = cpp_property(
        "int", lambda self: self._filters, lambda self, value: setattr(self, "_filters", value)
    )
    showHistoryButton = cpp_property("bool", lambda self: False, lambda self, value: None)
    showBrowseButton = cpp_property(
        "bool",
        lambda self: not self._browse.isHidden(),
        lambda self, value: self._browse.setVisible(value),
    )

    def setCurrentPath(self, path: str) -> None:
        """Shows a path; ``currentPathChanged`` follows if it is another one."""
        self._box.setEditText(path)

    def comboBox(self) -> QtWidgets.QComboBox:
        """Returns the editable list."""
        return self._box

    def addCurrentPathToHistory(self) -> None:
        """Keeps the path in the list."""
        if self._box.findText(self.currentPath) < 0:
            self._box.addItem(self.currentPath)
