"""The panel, which connects its sections with the logic and the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin
from textsegment.vocabulary.resolve import Resolution
from textsegment.vocabulary.structures import known_in

from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.panel.anatomy.anatomy_tree import AnatomyTree
from TextSegmentLib.panel.anatomy.coverage import Coverage
from TextSegmentLib.panel.anatomy.sets_menu import SetsMenu
from TextSegmentLib.panel.correction.section import CorrectionSection
from TextSegmentLib.panel.engine.section import EngineSection
from TextSegmentLib.panel.input_section import InputSection
from TextSegmentLib.panel.prompt.prompt_box import PromptBox
from TextSegmentLib.panel.prompt.recent_menu import RecentMenu
from TextSegmentLib.panel.results.section import ResultsSection
from TextSegmentLib.panel.results.undo import Undo
from TextSegmentLib.panel.run.runs import RunRequest, Runs
from TextSegmentLib.panel.run.section import RunSection
from TextSegmentLib.panel.run.tidy_box import TidyBox
from TextSegmentLib.panel.shortcuts import WindowKeys, bind_keys
from TextSegmentLib.panel.shown_image import ShownImage
from TextSegmentLib.scene.parameters import Parameters, parameter_node
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow
from TextSegmentLib.scene.run.run import Run

_MOST_TERMS = 3
_LONGEST_TERM = 40


class Panel(VTKObservationMixin):
    """Creates the sections of the panel and connects them with each other and with the scene.

    Args:
        root: Widget loaded from ``TextSegment.ui``.
        logic: Logic of the module.
    """

    def __init__(self, root: Any, logic: TextSegmentLogic) -> None:
        VTKObservationMixin.__init__(self)
        self.logic = logic
        self.ui = ui = slicer.util.childWidgetVariables(root)
        self._parameters: Parameters | None = None
        self._is_entered = False
        self._known_text = ""  # the parameter node's text when last read or written
        self.run_section = run_section = RunSection(ui)
        self.results = ResultsSection(ui, lambda row: self.runs.redo(row), self._check)
        self.undo = Undo(ui, self.results, run_section)
        self.inputs = InputSection(ui, logic, self._case_changed)
        self.shown_image = ShownImage(ui.inputSelector, ui.viewsLabel)
        self.engine = EngineSection(ui, self._engine_changed, run_section.show_error)
        self.tidy = TidyBox(ui.tidyBox)
        self.runs = Runs(
            logic,
            self.engine,
            run_section,
            self.results,
            is_wanted=lambda request: self.prompt.structures == request.structures,
            on_started=self._run_started,
            on_changed=self._offer,
        )
        self.correction = CorrectionSection(
            ui, logic, self.engine, self.results, run_section, lambda: self.inputs.modality
        )
        self.tree = AnatomyTree(
            ui.anatomyTree, ui.anatomySearchBox, ui.anatomyViewBox, ui.availableOnlyBox, self._term_toggled
        )
        self.prompt = PromptBox(
            ui.promptEdit, ui.resolutionLabel, logic.resolve, self._text_read, self.segment
        )
        self.recent = RecentMenu(ui.recentButton, self._take_text)
        self.sets = SetsMenu(
            ui.templatesButton, lambda: self.prompt.structures, self.prompt.add, run_section.show_error
        )
        ui.segmentButton.connect("clicked()", self.prompt.enter)
        ui.cancelButton.connect("clicked()", self.runs.cancel)
        ui.undoButton.connect("clicked()", self._undo)
        ui.redoStepButton.connect("clicked()", self.undo.redo)
        enter = self.prompt.enter
        keys = {"Ctrl+Return": enter, "Ctrl+Enter": enter, "Ctrl+Z": self._undo, "Ctrl+Y": self.undo.redo}
        bind_keys(root, keys)
        self.results.bind_keys({"C": self.correction.apply, "B": self.correction.toggle_blink})
        self._window_keys = WindowKeys(
            slicer.util.mainWindow(),
            {"Z": self._undo, "Y": self.undo.redo, "Ctrl+Shift+Return": self.correction.apply},
        )
        self.results.on_offered = self._offer_actions
        ui.correctButton.connect("contentsCollapsed(bool)", lambda _collapsed: self._offer_actions())
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._scene_closing)
        self.addObserver(scene, scene.EndCloseEvent, self._scene_changed)
        self.addObserver(scene, scene.NodeRemovedEvent, lambda *_event: self.correction.drop_if_gone())
        self.addObserver(scene, scene.EndImportEvent, self._scene_changed)
        selection = slicer.app.applicationLogic().GetSelectionNode()
        self.addObserver(selection, vtk.vtkCommand.ModifiedEvent, self._shown_volume_changed)
        self._take_parameters()

    def enter(self) -> None:
        """Bring the panel up to date when the user enters the module."""
        self._is_entered = True
        self._take_parameters()
        self.inputs.choose_shown_volume()
        self.shown_image.start()
        self.results.refresh()
        self.correction.enter()
        self.engine.enter()

    def exit(self) -> None:
        """Pause the panel when the user leaves the module; a run continues."""
        self._is_entered = False
        self.shown_image.stop()
        self.correction.leave()
        self._window_keys.enable(False)
        self.engine.leave()

    def cleanup(self) -> None:
        """Stop everything and remove all observers, because the panel is being destroyed."""
        self.runs.stop()
        self._let_go()
        self._window_keys.remove()
        self.removeObservers()
        self.inputs.bind(None)  # a reload only hides the widgets, which keep following the scene
        parts = (self.prompt, self.tree, self.correction, self.results, self.undo, self.engine)
        for part in (*parts, self.shown_image):
            part.stop()

    def segment(self) -> None:
        """Segment what the text asks for, unless there is an obstacle that does not go away by itself."""
        case, obstacle = self._parameters, self._obstacle()
        is_awaited = obstacle == self.engine.obstacle and self.engine.is_busy
        if case is None or (obstacle and not is_awaited):
            return
        request = RunRequest(
            case.volume_node,
            case.segmentation_node,
            self.prompt.structures,
            self.inputs.modality,
            case.roi_node,
            self.tidy.wanted,
        )
        if obstacle and not self.runs.is_running:
            self.runs.ask_once_ready(request)
        else:
            self.runs.ask_for(request)

    def _check(self, rows: Sequence[ResultRow]) -> None:
        """Have the engine look at structures a second time."""
        results = self.results.shown
        if rows and results is not None and results.volume_node is not None and not self.engine.obstacle:
            nodes, modality = (results.volume_node, results.segmentation_node), rows[0].modality
            alike = [row for row in rows if row.modality == modality]
            structures = tuple(dict.fromkeys(row.structure for row in alike))
            request = RunRequest(*nodes, structures, modality, tidy=self.tidy.wanted, check=True)
            self.runs.check(alike, request)

    def _offer_actions(self) -> None:
        self.undo.offer()
        self.correction.offer()
        self._window_keys.enable(self.correction.is_open)

    def _undo(self) -> None:
        if self.correction.is_pending:  # it is the last thing that was done
            self.correction.discard()
            return
        self.runs.cancel()
        self.undo.undo()

    def _run_started(self, run: Run) -> None:
        self.recent.remember(self.prompt.text)
        self.ui.outputSelector.setCurrentNode(run.segmentation_node)

    def _text_read(self) -> None:
        """Bring parameter node, anatomy tree and buttons in step with the text."""
        if self._parameters is not None and self.prompt.text != self._known_text:
            self._known_text = self._parameters.text = self.prompt.text
        self.tree.set_selected(frozenset(self.prompt.structures))
        self.runs.forget_question()
        self._offer()
        self._resume()

    def _term_toggled(self, name: str, structures: Sequence[str], wanted: bool) -> None:
        self.prompt.toggle(name, structures, wanted)

    def _take_text(self, text: str) -> None:
        self.prompt.text = text

    def _engine_changed(self) -> None:
        self._model_changed()
        self._resume()

    def _resume(self) -> None:
        if not self.prompt.is_unread:
            self.runs.resume()

    def _case_changed(self) -> None:
        self._model_changed()
        self._show_results_of_case()

    def _show_results_of_case(self) -> None:
        """Show the results of earlier runs that the chosen segmentation holds, even from another session."""
        case, shown = self._parameters, self.results.shown
        if case is None or self.runs.is_running or case.volume_node is None or case.segmentation_node is None:
            return
        if shown is not None and shown.segmentation_node is case.segmentation_node:
            return
        results = Results(case.volume_node, case.segmentation_node)
        self.results.show(results if results.rows else None)
        self.results.refresh()
        self.run_section.show_run(None)

    def _model_changed(self) -> None:
        """Reinterpret text and anatomy tree for the current model and modality."""
        modality, model = self.inputs.modality, self.engine.model
        known = frozenset(known_in(modality) if model is None else model.structures.get(modality, ()))
        self.tree.set_coverage(Coverage(modality, known))
        self.sets.set_model(modality, known)
        self.prompt.set_model(modality, known, model)
        self.tidy.set_model(model)
        self._offer()

    def _offer(self) -> None:
        """Update the Segment button and the obstacle next to it."""
        obstacle = _("A run is not over.") if self.runs.is_running else self._obstacle()
        is_said_elsewhere = self.runs.is_running or obstacle in (self.engine.obstacle, self.prompt.problem)
        is_worth_a_line = bool(self.prompt.text) and not is_said_elsewhere
        self.run_section.offer(len(self.prompt.structures), obstacle, is_worth_a_line)

    def _obstacle(self) -> str:
        if self._parameters is None or self.inputs.obstacle:
            return self.inputs.obstacle or _("The scene is being closed.")
        if self.prompt.problem:
            return self.prompt.problem
        if self.prompt.questions:
            return _("Answer first, or leave out: {terms}").format(terms=_few(self.prompt.questions))
        if not self.prompt.structures:
            return _("Name a structure, or check one in the anatomy.")
        return self.engine.obstacle

    def _take_parameters(self) -> None:
        """Connect the panel with the parameter node of the scene."""
        self._let_go()
        parameters = Parameters(parameter_node())
        self.inputs.bind(parameters)
        self._model_changed()
        self._known_text = self.prompt.text = parameters.text
        self._parameters = parameters
        self.addObserver(parameters.node, vtk.vtkCommand.ModifiedEvent, self._parameters_changed)
        self._offer()
        self._show_results_of_case()

    def _parameters_changed(self, _caller: Any, _event: str) -> None:
        """Follow changes made to the parameter node by a script."""
        if self._parameters is None or slicer.mrmlScene.IsBatchProcessing():
            return
        if self._parameters.text != self._known_text:
            self._known_text = self.prompt.text = self._parameters.text
        if not self.inputs.is_in_step:
            self.inputs.bind(self._parameters)
            self._case_changed()

    def _shown_volume_changed(self, _caller: Any, _event: str) -> None:
        """Choose an image that is loaded while the panel is open, if none is chosen yet."""
        if self._is_entered:
            self.inputs.choose_shown_volume()

    def _let_go(self) -> None:
        if self._parameters is not None:
            self.removeObserver(self._parameters.node, vtk.vtkCommand.ModifiedEvent, self._parameters_changed)
        self._parameters = None

    def _scene_closing(self, _caller: Any, _event: str) -> None:
        self.runs.cancel()
        self.correction.scene_closing()
        self._let_go()
        self.inputs.bind(None)
        self.results.show(None)
        self.run_section.show_run(None)
        self.run_section.clear_message()

    def _scene_changed(self, _caller: Any, _event: str) -> None:
        if self._is_entered:
            self._take_parameters()


def _few(questions: Sequence[Resolution]) -> str:
    """Return the terms of the first few questions, shortened for display."""
    terms = [each.term[:_LONGEST_TERM] for each in questions[:_MOST_TERMS]]
    return ", ".join([*terms, *(["…"] if len(questions) > len(terms) else [])])
