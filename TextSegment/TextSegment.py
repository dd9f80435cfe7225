"""Slicer module TextSegment: name anatomy, get segments. The implementation is in ``TextSegmentLib``."""

import importlib
import sys
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

_PAPER = "https://arxiv.org/abs/2312.17183"
# These hold the running engine, which must survive a reload of the module.
_KEPT = ("TextSegmentLib.engine.server_process",)


class TextSegment(ScriptedLoadableModule):
    """Entry of the module in Slicer: its metadata, and what to register at startup."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "TextSegment"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SubjectHierarchy"]  # all needed to load the module
        parent.contributors = ["TextSegment contributors"]
        parent.helpText = _(
            "Segments CT, MR and PET volumes by a line of text, such as <i>liver, spleen, left kidney</i>. "
            "For research: not a medical device."
        )
        parent.acknowledgementText = _(
            "Uses the method and, if downloaded, the weights of {link_start}SAT{link_end} by its authors."
        ).format(link_start=f'<a href="{_PAPER}">', link_end="</a>")
        if not _part("version").refusal():
            slicer.app.connect("startupCompleted()", lambda: _part("startup").register())


class TextSegmentWidget(ScriptedLoadableModuleWidget):
    """Widget of the module, which forwards Slicer's calls to the panel."""

    panel: Any = None

    def setup(self) -> None:
        """Create the panel, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        if _part("version").show_refusal(self.layout):
            return
        root = slicer.util.loadUI(self.resourcePath("UI/TextSegment.ui"))
        self.layout.addWidget(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.logic = _part("logic").TextSegmentLogic()
        self.panel = _part("panel.widget").Panel(root, self.logic)
        self.ui = self.panel.ui
        if self.parent.isEntered:  # after a reload Slicer calls enter only when the user comes back
            self.enter()

    def enter(self) -> None:
        """Tell the panel that the user has opened the module."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        """Tell the panel that the user has left the module."""
        if self.panel is not None:
            self.panel.exit()

    def cleanup(self) -> None:
        """Release the panel's resources before the module is unloaded."""
        if self.panel is not None:
            self.panel.cleanup()

    def onReload(self) -> None:
        """Reload ``TextSegmentLib`` too, except what holds the running engine."""
        for name in [each for each in sys.modules if each.startswith("TextSegmentLib") and each not in _KEPT]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class TextSegmentTest(ScriptedLoadableModuleTest):
    """Self-test in the application: the panel and a script, with an engine that needs no model."""

    def runTest(self) -> None:
        """Run the whole self-test."""
        _part("self_test").run()


def _part(name: str) -> Any:
    return importlib.import_module(f"TextSegmentLib.{name}")


def __getattr__(name: str) -> Any:
    """Import the logic for scripts on first access, since every import here delays the start of Slicer."""
    if name != "TextSegmentLogic":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _part("version").require()
    return _part("logic").TextSegmentLogic
