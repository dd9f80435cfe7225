"""The Slicer module TextSegment: name anatomy, get segments. All that matters is in ``TextSegmentLib``."""

import importlib
import sys
from pathlib import Path

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

    def __init__(self, parent):
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
        slicer.app.connect("startupCompleted()", _register_sample_data)


class TextSegmentWidget(ScriptedLoadableModuleWidget):
    """Hands what Slicer tells the module on to the panel."""

    def setup(self):
        """Make the panel, when the module is opened first."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = importlib.import_module("TextSegmentLib.panel.widget")
        root = slicer.util.loadUI(self.resourcePath("UI/TextSegment.ui"))
        self.layout.addWidget(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.logic = _logic_class()()
        self.panel = panel.Panel(root, self.logic)
        self.ui = self.panel.ui
        if self.parent.isEntered:  # a reload: Slicer says so only when the user comes back
            self.enter()

    def enter(self):
        """The user turned to the module."""
        self.panel.enter()

    def exit(self):
        """The user turned to another module."""
        self.panel.exit()

    def cleanup(self):
        """The module is unloaded."""
        self.panel.cleanup()

    def onReload(self):
        """Load the parts anew too."""
        for name in list(sys.modules):
            if name.startswith("TextSegmentLib") and name not in _KEPT:
                del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class TextSegmentTest(ScriptedLoadableModuleTest):
    """Self test in the application: the panel and a script, with an engine that needs no model."""

    def runTest(self):
        """Run everything."""
        importlib.import_module("TextSegmentLib.self_test").run()


def _logic_class():
    return importlib.import_module("TextSegmentLib.logic").TextSegmentLogic


def __getattr__(name):
    """Give scripts the logic when they ask for it: every start of Slicer waits for what is imported here."""
    if name == "TextSegmentLogic":
        return _logic_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _register_sample_data():
    """Offer the chest CT that Slicer itself offers, in the same file: it is downloaded once."""
    try:
        from SampleData import SampleDataLogic
    except ModuleNotFoundError:  # Slicer can be built without it
        return

    digest = "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e"
    SampleDataLogic.registerCustomSampleDataSource(
        category="TextSegment",
        sampleName="CTChest",
        thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "TextSegment.png"),
        uris=f"https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{digest}",
        fileNames="CT-chest.nrrd",
        nodeNames="CTChest",
        checksums=f"SHA256:{digest}",
    )
