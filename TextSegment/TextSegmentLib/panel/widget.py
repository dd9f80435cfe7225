"""The panel: wiring between its sections, the logic and the scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin
from textsegment.errors import TextSegmentError
from textsegment.segmenter import Segmenter
from textsegment.vocabulary.resolve import Resolution
from textsegment.vocabulary.structures import known_in

from TextSegmentLib.background import Pump
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.panel.anatomy_tree import AnatomyTree
from TextSegmentLib.panel.coverage import Coverage
from TextSegmentLib.panel.engine.section import EngineSection
from TextSegmentLib.panel.input_section import InputSection
from TextSegmentLib.panel.prompt.prompt_box import PromptBox
from TextSegmentLib.panel.prompt.recent_menu import RecentMenu
from TextSegmentLib.panel.results_section import ResultsSection
from TextSegmentLib.panel.run_section import RunSection
from TextSegmentLib.panel.sets_menu import SetsMenu
from TextSegmentLib.panel.shown_image import ShownImage
from TextSegmentLib.scene.parameters import Parameters, parameter_node
from TextSegmentLib.scene.results import Results
from TextSegmentLib.scene.rows import ResultRow, RunState
from TextSegmentLib.scene.run import Run

_RUN_KEYS = ("Ctrl+Return", "Ctrl+Enter")
_MOST_TERMS = 3
_LONGEST_TERM = 40


class Panel(VTKObservationMixin):
    """Everything between the module's widget and the parts of the panel.

    Args:
        root: The widget that was made of ``TextSegment.ui``.
        logic: Of the module.
    """

    def __init__(self, root: Any, logic: TextSegmentLogic) -> None:
        VTKObservationMixin.__init__(self)
        self.logic = logic
        self.ui = ui = slicer.util.childWidgetVariables(root)
        self._pump: Pump | None = None
        self._undo_pump: Pump | None = None
        self._parameters: Parameters | None = None
        self._is_entered = False
        self._known_text = ""  # that of the parameters, when it was read or written last
        self._awaited: Callable[[], None] | None = None
        self.run_section = run_section = RunSection(ui)
        self.results = ResultsSection(ui, self._redo, self._undo)
        self.inputs = InputSection(ui, logic, self._case_changed)
        self.shown_image = ShownImage(ui.inputSelector, ui.viewsLabel)
        self.engine = EngineSection(ui, self._engine_changed, run_section.show_error)
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
        ui.cancelButton.connect("clicked()", self._cancel)
        for keys in _RUN_KEYS:
            shortcut = qt.QShortcut(qt.QKeySequence(keys), root)
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            shortcut.connect("activated()", self.prompt.enter)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._scene_closing)
        self.addObserver(scene, scene.EndCloseEvent, self._scene_changed)
        self.addObserver(scene, scene.EndImportEvent, self._scene_changed)
        selection = slicer.app.applicationLogic().GetSelectionNode()
        self.addObserver(selection, vtk.vtkCommand.ModifiedEvent, self._shown_volume_changed)
        self._take_parameters()

    def enter(self) -> None:
        """The user turned to the module."""
        self._is_entered = True
        self._take_parameters()
        self.inputs.choose_shown_volume()
        self.shown_image.start()
        self.results.refresh()
        self.engine.enter()

    def exit(self) -> None:
        """The user turned to another module; a run goes on."""
        self._is_entered = False
        self.shown_image.stop()
        self.engine.leave()

    def cleanup(self) -> None:
        """The panel goes away: nothing of it may be called any more."""
        if self.logic.run is not None:
            self.logic.run.cancel()
        self._let_go()
        self.removeObservers()
        self.inputs.bind(None)  # a reload hides the widgets, but they live on and follow the scene
        for pump in filter(None, (self._pump, self._undo_pump)):
            pump.stop()
        for part in (self.prompt, self.tree, self.results, self.engine, self.shown_image):
            part.stop()

    def segment(self) -> None:
        """Look for what the text asks for, if nothing is in the way."""
        if self._obstacle():
            return
        wanted, case = self.prompt.structures, self._parameters

        def start(segmenter: Segmenter) -> Run:
            return self.logic.start(
                case.volume_node,
                wanted,
                case.segmentation_node,
                modality=self.inputs.modality,
                segmenter=segmenter,
                on_event=self._run_changed,
            )

        run = self._started(start, if_starting=lambda: self.prompt.structures == wanted and self.segment())
        if run is not None:
            self.recent.remember(self.prompt.text)
            self.ui.outputSelector.setCurrentNode(run.segmentation_node)
            self._follow(run)

    def _redo(self, row: ResultRow) -> None:
        """Look for the structure of a row again."""
        results = self.results.shown

        def start(segmenter: Segmenter) -> Run:
            return self.logic.redo(results, row, segmenter=segmenter, on_event=self._run_changed)

        run = self._started(start, if_starting=lambda: self.results.shown is results and self._redo(row))
        if run is not None:
            self._follow(run)

    def _started(self, start: Callable[[Segmenter], Run], if_starting: Callable[[], object]) -> Run | None:
        """Start a run with the engine that the user has chosen.

        Args:
            start: Starts it.
            if_starting: Tries again, once the engine has started.

        Returns:
            None if that could not be; the user has been told why.
        """
        self.run_section.clear_message()
        try:
            segmenter = self.engine.agreed_segmenter()
            if segmenter is None:
                self._awaited = if_starting if self.engine.is_starting else None
                return None
            return start(segmenter)
        except TextSegmentError as error:
            self.run_section.show_error(error)
            return None

    def _undo(self) -> None:
        """Take back the last run of those that are shown, once it is known what was edited."""
        if self._is_running:
            self.logic.run.cancel()
        results = self.results.shown
        if not self._undo_step(results):
            return
        self._undo_pump = Pump(lambda: self._undo_step(results))

    def _undo_step(self, results: Results) -> bool:
        """Return whether it is not known yet what was edited; else undo."""
        if results is not self.results.shown:
            return False
        if results.look():
            return True
        kept = results.undo()
        if kept:
            self.run_section.show_note(
                _("Kept, because they were edited or accepted: {names}.").format(names=", ".join(kept))
            )
        self.results.refresh()
        return False

    @property
    def _is_running(self) -> bool:
        return self.logic.run is not None and self.logic.run.is_active

    def _follow(self, run: Run) -> None:
        """Take what a run reports until it is over."""
        self._run_changed(run)
        self._pump = Pump(lambda: self._take_news(run))

    def _take_news(self, run: Run) -> bool:
        more = run.process_events()
        self.run_section.show_run(run)
        return more

    def _run_changed(self, run: Run) -> None:
        self.run_section.show_run(run)
        self.results.show(run.results, is_active=run.is_active)
        self._offer()
        if run.is_active:
            return
        if run.state is RunState.FAILED:
            self.run_section.show_error(run.error)
            self.engine.look()
        elif run.state is RunState.CANCELLED:
            self.run_section.show_note(run.error.message, run.error.hint)
        elif run.warnings:
            self.run_section.show_note(*run.warnings)

    def _cancel(self) -> None:
        if self.logic.run is not None:
            self.logic.run.cancel()

    def _text_read(self) -> None:
        """Bring everything in step with the text."""
        if self._parameters is not None and self.prompt.text != self._known_text:
            self._known_text = self._parameters.text = self.prompt.text
        self.tree.set_selected(frozenset(self.prompt.structures))
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
        """Do what was asked before the engine had to start, if it still means the same."""
        if self._awaited is None or self.engine.is_starting or self.prompt.is_unread:
            return
        awaited, self._awaited = self._awaited, None
        if self.engine.model is not None:
            awaited()

    def _case_changed(self) -> None:
        self._model_changed()
        self._show_results_of_case()

    def _show_results_of_case(self) -> None:
        """Show what the chosen segmentation holds of earlier runs, perhaps of another session."""
        case, shown = self._parameters, self.results.shown
        if case is None or self._is_running or case.volume_node is None or case.segmentation_node is None:
            return
        if shown is not None and shown.segmentation_node is case.segmentation_node:
            return
        results = Results(case.volume_node, case.segmentation_node)
        if results.rows:
            self.results.show(results)
            self.results.refresh()
            self.run_section.show_run(None)

    def _model_changed(self) -> None:
        """Read text and tree as the model at hand understands this modality."""
        modality, model = self.inputs.modality, self.engine.model
        known = frozenset(known_in(modality) if model is None else model.structures.get(modality, ()))
        self.tree.set_coverage(Coverage(modality, known))
        self.sets.set_model(modality, known)
        self.prompt.set_model(modality, known, model)
        self._offer()

    def _offer(self) -> None:
        """Say what the button would do, or what is in the way."""
        obstacle = self._obstacle()
        is_said_elsewhere = self._is_running or obstacle in (self.engine.obstacle, self.prompt.problem)
        is_worth_a_line = bool(self.prompt.text) and not is_said_elsewhere
        self.run_section.offer(len(self.prompt.structures), obstacle, is_worth_a_line)

    def _obstacle(self) -> str:
        if self._is_running:
            return _("A run is not over.")
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
        """Show the case of the scene, and write into it from now on."""
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
        """Follow a script that changes the case."""
        if self._parameters is None or slicer.mrmlScene.IsBatchProcessing():
            return
        if self._parameters.text != self._known_text:
            self._known_text = self.prompt.text = self._parameters.text
        if not self.inputs.is_in_step:
            self.inputs.bind(self._parameters)
            self._case_changed()

    def _shown_volume_changed(self, _caller: Any, _event: str) -> None:
        """Choose an image that was loaded while the panel is open, if none is chosen."""
        if self._is_entered:
            self.inputs.choose_shown_volume()

    def _let_go(self) -> None:
        if self._parameters is not None:
            self.removeObserver(self._parameters.node, vtk.vtkCommand.ModifiedEvent, self._parameters_changed)
        self._parameters = None

    def _scene_closing(self, _caller: Any, _event: str) -> None:
        if self.logic.run is not None:
            self.logic.run.cancel()
        self._let_go()
        self.inputs.bind(None)
        self.results.show(None)
        self.run_section.show_run(None)
        self.run_section.clear_message()

    def _scene_changed(self, _caller: Any, _event: str) -> None:
        if self._is_entered:
            self._take_parameters()


def _few(questions: Sequence[Resolution]) -> str:
    """Return the terms of the first questions, cut short."""
    terms = [each.term[:_LONGEST_TERM] for each in questions[:_MOST_TERMS]]
    return ", ".join([*terms, *(["…"] if len(questions) > len(terms) else [])])
