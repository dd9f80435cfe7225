"""The part of ``slicer.app`` that needs no Qt."""

import os
import tempfile

import slicer

from slicer_host.files import CoreIOManager


class _Environment:
    """As QProcessEnvironment."""

    def __init__(self, variables) -> None:
        self._variables = dict(variables)

    def keys(self) -> list[str]:
        return list(self._variables)

    def value(self, name: str, default: str = "") -> str:
        return self._variables.get(name, default)


class HeadlessApplication:
    """Stand-in for qSlicerApplication: what code without a window may ask of it."""

    applicationName = "Slicer"
    majorVersion, minorVersion = 5, 13
    revision = "31053"
    os = "linux"
    documentationBaseUrl = "https://slicer.readthedocs.io/en/latest/"

    def __init__(self, application_logic) -> None:
        self.temporaryPath = tempfile.mkdtemp(prefix="slicer-host-")
        self._application_logic = application_logic
        self._io_manager = CoreIOManager()
        self._kept = []

    def keep(self, owned) -> None:
        """Holds an object for as long as the application lives (of the host, not of Slicer)."""
        self._kept.append(owned)

    def mrmlScene(self):
        """Returns the scene."""
        return slicer.mrmlScene

    def applicationLogic(self):
        """Returns the real vtkSlicerApplicationLogic."""
        return self._application_logic

    def coreIOManager(self) -> CoreIOManager:
        """Returns what reads and writes files for ``slicer.util.loadVolume`` and the like."""
        return self._io_manager

    def startupEnvironment(self):
        """Returns the environment Slicer was started with: here, the present one."""
        return _Environment(os.environ)

    def testingEnabled(self) -> bool:
        """Says that dialogs of ``slicer.util`` answer themselves."""
        return True

    def translate(self, context: str, text: str, *_args) -> str:
        """Returns the text as it is: English."""
        return text

    def processEvents(self, *_args) -> None:
        """Does nothing: there is no event loop."""

    def pauseRender(self) -> None:
        """Does nothing: there are no views."""

    def resumeRender(self) -> None:
        """Does nothing: there are no views."""

    def layoutManager(self):
        """Returns None, as Slicer does without a main window."""
        return None
