"""Keeps the slice views on the image chosen in the panel, or hints that they show another one."""

from __future__ import annotations

from html import escape
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

_COMPOSITE = "vtkMRMLSliceCompositeNode"


class ShownImage(VTKObservationMixin):
    """Shows an image when the user chooses it, and tells the user when the views show another one.

    Args:
        selector: Selector of the input image; the image chosen there is shown.
        label: Label for the hint, with a link that shows the image.
    """

    def __init__(self, selector: Any, label: Any) -> None:
        VTKObservationMixin.__init__(self)
        self._selector = selector
        self._label = label
        self._is_followed = False
        selector.connect("nodeActivated(vtkMRMLNode*)", self._chosen)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self._changed)
        label.connect("linkActivated(QString)", lambda _link: self._show(self._selector.currentNode()))
        label.visible = False

    def start(self) -> None:
        """Start following the slice views; called when the user enters the panel."""
        if not self._is_followed:
            self._is_followed = True
            for node in _composite_nodes():
                self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._changed)
        self._changed()

    def stop(self) -> None:
        """Stop following the slice views."""
        self._is_followed = False
        self.removeObservers()

    def _chosen(self, node: Any) -> None:
        if self._is_followed and node is not None:
            self._show(node)

    def _show(self, node: Any) -> None:
        logic = slicer.app.applicationLogic()
        logic.GetSelectionNode().SetActiveVolumeID(node.GetID())
        logic.PropagateBackgroundVolumeSelection(1)
        self._changed()

    def _changed(self, *_event: Any) -> None:
        node = self._selector.currentNode()
        shown = _background_ids()
        is_elsewhere = node is not None and bool(shown) and node.GetID() not in shown
        self._label.visible = is_elsewhere
        if is_elsewhere:
            other = slicer.mrmlScene.GetNodeByID(shown[0])
            text = _("The views show {name}.").format(name=other.GetName() if other else _("another image"))
            self._label.text = f"{escape(text)} <a href='show'>{escape(_('Show this image'))}</a>"


def _composite_nodes() -> list[Any]:
    scene = slicer.mrmlScene
    return [scene.GetNthNodeByClass(n, _COMPOSITE) for n in range(scene.GetNumberOfNodesByClass(_COMPOSITE))]


def _background_ids() -> list[str]:
    """Return the identifiers of the background, then foreground, volumes of the slice views."""
    nodes = _composite_nodes()
    both = [node.GetBackgroundVolumeID() for node in nodes] + [node.GetForegroundVolumeID() for node in nodes]
    return [node_id for node_id in both if node_id]
