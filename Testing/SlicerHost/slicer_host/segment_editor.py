"""Stand-in for the module Segment Editor: which segment is edited, without tools."""

import sys

import slicer

from slicer_host import scene
from slicer_host.module_widget import qSlicerScriptedLoadableModule
from slicer_host.scripted_loadable_module import ScriptedLoadableModuleWidget


class SegmentEditorWidget(ScriptedLoadableModuleWidget):
    """Shows ``editor``, as the real one does."""

    def setup(self) -> None:
        """Makes the editor and gives it its node."""
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(self.editor)

    def enter(self) -> None:
        """Takes the singleton node of the scene and chooses a segmentation; both are made if missing."""
        node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag("SegmentEditor")
            node = slicer.mrmlScene.AddNode(node)
        self.editor.setMRMLSegmentEditorNode(node)
        if node.GetSegmentationNode() is None:
            first = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
            self.editor.setSegmentationNode(
                first or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
            )


def install() -> None:
    """Makes ``slicer.util.selectModule("SegmentEditor")`` work."""
    sys.modules["SegmentEditor"] = sys.modules[__name__]
    scene.add_module(qSlicerScriptedLoadableModule("SegmentEditor", __file__))
