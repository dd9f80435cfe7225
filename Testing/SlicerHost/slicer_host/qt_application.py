"""``slicer.app`` with Qt: settings, module manager, main window, views."""

import tempfile

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Signal

from slicer_host.application import HeadlessApplication


class SlicerApplication(QtWidgets.QApplication):
    """Stand-in for qSlicerApplication, which is Qt's application object too."""

    startupCompleted = Signal()

    def __init__(self, headless: HeadlessApplication) -> None:
        super().__init__(["Slicer"])
        self._headless = headless
        self._module_manager = ModuleManager()
        self._main_window = MainWindow()
        folder = tempfile.mkdtemp(prefix="slicer-host-settings-")
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, folder)
        self.setOrganizationName("slicer-host")
        self.setApplicationName("Slicer")

    def __getattr__(self, name: str):
        return getattr(self.__dict__["_headless"], name)

    def moduleManager(self) -> "ModuleManager":
        """Returns what knows the modules."""
        return self._module_manager

    def userSettings(self) -> QtCore.QSettings:
        """Returns the settings of the user, in a temporary place."""
        return QtCore.QSettings()

    def settings(self) -> QtCore.QSettings:
        """Returns the settings, in a temporary place."""
        return QtCore.QSettings()

    def moduleDocumentationUrl(self, module_name: str) -> str:
        """Returns the address of a module's documentation."""
        return f"{self.documentationBaseUrl}user_guide/modules/{module_name.lower()}.html"


class ModuleManager(QtCore.QObject):
    """Stand-in for qSlicerModuleManager."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def module(self, name: str):
        """Returns a module by its name or None."""
        return getattr(slicer.modules, name.lower(), None)


class MainWindow(QtWidgets.QMainWindow):
    """Stand-in for qSlicerMainWindow, found by ``slicer.util.mainWindow()``; never shown."""

    def __init__(self) -> None:
        super().__init__()
        self.objectName = "qSlicerMainWindow"
        self._selector = ModuleSelector()

    def moduleSelector(self) -> "ModuleSelector":
        """Returns the menu of modules."""
        return self._selector


class ModuleSelector(QtCore.QObject):
    """Stand-in for qSlicerModuleSelectorToolBar."""

    moduleSelected = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._selected = ""

    selectedModule = QtCore.Property(str, lambda self: self._selected)

    def selectModule(self, name: str) -> None:
        """Leaves the present module and enters another."""
        for module, turn in ((self._selected, "exit"), (name, "enter")):
            if module:
                getattr(getattr(slicer.modules, module.lower()).widgetRepresentation(), turn)()
        self._selected = name
        self.moduleSelected.emit(name)
