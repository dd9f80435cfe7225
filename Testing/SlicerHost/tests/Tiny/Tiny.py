"""The smallest module with a panel, for tests of the host."""

import qt
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Tiny")
        slicer.app.connect("startupCompleted()", lambda: slicer.modules.TinyInstance.started())
        self.was_started = False

    def started(self):
        self.was_started = True


class TinyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.cleaned = False

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/Tiny.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.chosen = []
        self.ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.chosen.append)
        self.ui.runButton.connect("clicked(bool)", self.run)

    def cleanup(self):
        self.removeObservers()
        self.cleaned = True

    def run(self):
        self.ui.runButton.text = _("Running")
        qt.QTimer.singleShot(50, self.finish)

    def finish(self):
        self.ui.runButton.text = _("Done")
