"""Parameters of the panel that belong to a case: saved in the scene and restored with it.

A plain ``vtkMRMLScriptedModuleNode`` holds them as strings and node references. What belongs to this computer
rather than to the case is in ``settings``; in particular, the access key is never stored here.
"""

from __future__ import annotations

from typing import Any

import slicer

MODULE = "TextSegment"
_VOLUME = "InputVolume"
_SEGMENTATION = "OutputSegmentation"
_REGION = "Region"
_TEXT = "Text"
_MODALITY = "Modality"


def parameter_node(scene: Any = None) -> Any:
    """Return the parameter node of a scene (default: the application's), creating it if there is none."""
    scene = scene or slicer.mrmlScene
    node = scene.GetSingletonNode(MODULE, "vtkMRMLScriptedModuleNode")
    if node is None:
        node = slicer.vtkMRMLScriptedModuleNode()
        node.SetSingletonTag(MODULE)
        node.SetName(MODULE)
        node = scene.AddNode(node)
    if node.GetAttribute("ModuleName") != MODULE:  # closing a scene resets it
        node.SetAttribute("ModuleName", MODULE)
    return node


class Parameters:
    """Typed view of the parameter node; observe ``node`` for changes.

    Args:
        node: Parameter node, from ``parameter_node``.

    Attributes:
        node: The parameter node.
    """

    def __init__(self, node: Any) -> None:
        self.node = node

    @property
    def volume_node(self) -> Any:
        """Volume to be segmented, or None."""
        return self.node.GetNodeReference(_VOLUME)

    @volume_node.setter
    def volume_node(self, volume_node: Any) -> None:
        self._refer(_VOLUME, volume_node)

    @property
    def segmentation_node(self) -> Any:
        """Segmentation that receives the results; None for a new one."""
        return self.node.GetNodeReference(_SEGMENTATION)

    @segmentation_node.setter
    def segmentation_node(self, segmentation_node: Any) -> None:
        self._refer(_SEGMENTATION, segmentation_node)

    @property
    def roi_node(self) -> Any:
        """Markups ROI that limits the segmentation; None for the whole image."""
        return self.node.GetNodeReference(_REGION)

    @roi_node.setter
    def roi_node(self, roi_node: Any) -> None:
        self._refer(_REGION, roi_node)

    @property
    def text(self) -> str:
        """Text in the prompt box."""
        return self.node.GetParameter(_TEXT)

    @text.setter
    def text(self, text: str) -> None:
        self._set(_TEXT, text)

    @property
    def modality(self) -> str:
        """Modality that the user chose; empty to use the guess."""
        return self.node.GetParameter(_MODALITY)

    @modality.setter
    def modality(self, code: str) -> None:
        self._set(_MODALITY, code)

    def _refer(self, role: str, node: Any) -> None:
        self.node.SetNodeReferenceID(role, node.GetID() if node else None)

    def _set(self, name: str, value: str) -> None:
        if self.node.GetParameter(name) != value:
            self.node.SetParameter(name, value)
