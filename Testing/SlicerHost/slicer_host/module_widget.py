"""The C++ side of a scripted module: what ``slicer.modules.<name>`` and the parent of its panel are."""

import sys

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from slicer_host.core_module import CoreModule
from slicer_host.widgets.stand_in import StandIn, cpp_property


class qSlicerScriptedLoadableModule(CoreModule):
    """A scripted module that was loaded; its panel is made at the first use."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, None, path)
        self._panel = None

    def widgetRepresentation(self) -> "qSlicerScriptedLoadableModuleWidget":
        """Returns the panel."""
        if self._panel is None:
            self._panel = qSlicerScriptedLoadableModuleWidget(self.name)
            self._panel.reload()
        return self._panel


class qSlicerWidget(StandIn, QtWidgets.QWidget):
    """A widget that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene) -> None:
        """Tells that the scene is another one."""
        self.mrmlSceneChanged.emit(scene)


class qSlicerAbstractModuleWidget(qSlicerWidget):
    """A panel that is entered and left."""

    def __init__(self) -> None:
        super().__init__()
        self._entered = False

    isEntered = cpp_property("bool", lambda self: self._entered)


class qSlicerScriptedLoadableModuleWidget(qSlicerAbstractModuleWidget):
    """The panel: an empty widget that a Python object fills."""

    def __init__(self, module_name: str) -> None:
        super().__init__()
        self._module_name, self._python = module_name, None
        self.setLayout(QtWidgets.QVBoxLayout())

    moduleName = cpp_property("QString", lambda self: self._module_name)

    def self(self):
        """Returns the module's widget object."""
        return self._python

    def reload(self) -> None:
        """Makes the module's widget object anew from its source as it is imported now."""
        name = self._module_name + "Widget"
        self._python = getattr(sys.modules[self._module_name], name)(self)
        setattr(slicer.modules, name, self._python)
        self._python.setup()

    def enter(self) -> None:
        """The user turned to the module."""
        self._entered = True
        self._call("enter")

    def exit(self) -> None:
        """The user turned to another module."""
        self._entered = False
        self._call("exit")

    def _call(self, method: str) -> None:
        if hasattr(self._python, method):
            getattr(self._python, method)()
