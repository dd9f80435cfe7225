"""The inputs of a run: the image, its modality, and the segmentation that receives the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.vocabulary.resolve import MODALITIES

from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.alignment import belongs_to
from TextSegmentLib.scene.modality import reason_of
from TextSegmentLib.scene.parameters import Parameters

_UNKNOWN = "CT"


class InputSection:
    """Keeps the selectors in step with the parameter node.

    Args:
        ui: Widgets of the panel, by name.
        logic: Module logic, which guesses the modality.
        on_changed: Called when one of the selectors changes.

    Attributes:
        obstacle: Reason why this image cannot be segmented; empty if it can.
        modality: Modality code used to interpret the text; a default while there is no image.
    """

    def __init__(self, ui: Any, logic: TextSegmentLogic, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._logic = logic
        self._on_changed = on_changed
        self._parameters: Parameters | None = None
        self.obstacle = ""
        self.modality = _UNKNOWN
        ui.modalityBox.addItems([_("Automatic"), *MODALITIES])
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._volume_chosen)
        ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._segmentation_chosen)
        ui.modalityBox.connect("activated(int)", self._modality_chosen)
        ui.regionSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._region_chosen)

    def bind(self, parameters: Parameters | None) -> None:
        """Show the values of a parameter node and write all further changes to it; None disconnects."""
        self._parameters = None  # changes of the selectors in the meantime are not the user's choice
        self._ui.inputSelector.setCurrentNode(parameters.volume_node if parameters else None)
        self._ui.outputSelector.setCurrentNode(parameters.segmentation_node if parameters else None)
        self._ui.regionSelector.setCurrentNode(parameters.roi_node if parameters else None)
        self._parameters = parameters
        self._ui.modalityBox.currentIndex = self._chosen_index()
        self._look()

    @property
    def is_in_step(self) -> bool:
        """Whether the selectors show the values of the parameter node."""
        parameters = self._parameters
        return parameters is None or (
            self._ui.inputSelector.currentNodeID == _id(parameters.volume_node)
            and self._ui.outputSelector.currentNodeID == _id(parameters.segmentation_node)
            and self._ui.regionSelector.currentNodeID == _id(parameters.roi_node)
            and self._chosen_index() == self._ui.modalityBox.currentIndex
        )

    def choose_shown_volume(self) -> None:
        """Choose the image shown in the slice views if none is chosen yet."""
        if self._parameters is None or self._parameters.volume_node is not None:
            return
        selection = slicer.app.applicationLogic().GetSelectionNode()
        node = slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID() or "")
        if node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode":
            self._ui.inputSelector.setCurrentNode(node)

    def _chosen_index(self) -> int:
        chosen = self._parameters.modality if self._parameters else ""
        return MODALITIES.index(chosen) + 1 if chosen in MODALITIES else 0

    def _volume_chosen(self, node: Any) -> None:
        if self._parameters is None:
            return
        self._parameters.volume_node = node
        segmentation_node = self._parameters.segmentation_node
        if node is not None and segmentation_node is not None and not belongs_to(segmentation_node, node):
            self._ui.outputSelector.setCurrentNode(None)
        self._tell()

    def _segmentation_chosen(self, node: Any) -> None:
        if self._parameters is not None:
            self._parameters.segmentation_node = node
            self._tell()

    def _region_chosen(self, node: Any) -> None:
        if self._parameters is not None:
            self._parameters.roi_node = node
            self._tell()

    def _modality_chosen(self, index: int) -> None:
        if self._parameters is not None:
            self._parameters.modality = MODALITIES[index - 1] if index else ""
            self._tell()

    def _tell(self) -> None:
        self._look()
        self._on_changed()

    def _look(self) -> None:
        """Determine the modality and whether the image can be segmented, and show both."""
        parameters = self._parameters
        chosen = parameters.modality if parameters else ""
        guessed, reason, self.obstacle = "", "", ""
        if parameters is None or parameters.volume_node is None:
            self.obstacle = _("Choose an image.")
        else:
            try:
                guess = self._logic.guess_modality(parameters.volume_node)
            except TextSegmentError as error:
                self.obstacle = reason = str(error)
            else:
                guessed, reason = guess.code, reason_of(guess)
        self.modality = chosen or (guessed if guessed in MODALITIES else _UNKNOWN)
        if guessed and guessed not in MODALITIES and not chosen:
            self.obstacle = reason = _("The model knows no images of the modality {code}.").format(
                code=guessed
            )
        automatic = _("Automatic: {code}").format(code=guessed) if guessed else _("Automatic")
        self._ui.modalityBox.setItemText(0, automatic)
        self._ui.modalityReasonLabel.text = _chosen_reason(chosen, guessed, reason)


def _chosen_reason(chosen: str, guessed: str, reason: str) -> str:
    if chosen and guessed and chosen != guessed:
        return _("Chosen by you; {reason}: {code}").format(reason=reason, code=guessed)
    return reason


def _id(node: Any) -> str:
    return node.GetID() if node else ""
