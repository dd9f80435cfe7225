"""The Slicer module TextSegment: name anatomy, get segments. All that matters is in ``TextSegmentLib``."""

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
# Holds the engine that runs: it is to be found again after a reload.
_KEPT = ("TextSegmentLib.engine.server_process",)


class TextSegment(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "TextSegment"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SubjectHierarchy"]  # without one of them it is not loaded
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
    """Hands what Slicer tells the module on to the panel."""

    panel: Any = None

    def setup(self) -> None:
        """Make the panel, when the module is opened first."""
        ScriptedLoadableModuleWidget.setup(self)
        if _part("version").show_refusal(self.layout):
            return
        root = slicer.util.loadUI(self.resourcePath("UI/TextSegment.ui"))
        self.layout.addWidget(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.logic = _part("logic").TextSegmentLogic()
        self.panel = _part("panel.widget").Panel(root, self.logic)
        self.ui = self.panel.ui
        if self.parent.isEntered:  # a reload: Slicer says so only when the user comes back
            self.enter()

    def enter(self) -> None:
        """The user turned to the module."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        """The user turned to another module."""
        if self.panel is not None:
            self.panel.exit()

    def cleanup(self) -> None:
        """The module is unloaded."""
        if self.panel is not None:
            self.panel.cleanup()

    def onReload(self) -> None:
        """Load the parts anew too."""
        for name in [each for each in sys.modules if each.startswith("TextSegmentLib") and each not in _KEPT]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class TextSegmentTest(ScriptedLoadableModuleTest):
    """Self test in the application: the panel and a script, with an engine that needs no model."""

    def runTest(self) -> None:
        """Run everything."""
        _part("self_test").run()


def _part(name: str) -> Any:
    return importlib.import_module(f"TextSegmentLib.{name}")


def __getattr__(name: str) -> Any:
    """Give scripts the logic when they ask for it: every start of Slicer waits for what is imported here."""
    if name != "TextSegmentLogic":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _part("version").require()
    return _part("logic").TextSegmentLogic
