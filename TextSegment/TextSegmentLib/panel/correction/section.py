"""The correction of segments in the panel: what was drawn is carried to the rest, shown, and taken or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError

from TextSegmentLib.background import Pump
from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.correction.marks import Marks
from TextSegmentLib.correction.taking import take_over
from TextSegmentLib.history.segment_state import SegmentState
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.panel.correction.editor_strip import EditorStrip
from TextSegmentLib.panel.correction.mark_buttons import MarkButtons
from TextSegmentLib.panel.correction.preview_bar import PreviewBar
from TextSegmentLib.panel.correction.what import TAKE_BACK, what_is_corrected
from TextSegmentLib.panel.engine.section import EngineSection
from TextSegmentLib.panel.results.section import ResultsSection
from TextSegmentLib.panel.run.section import RunSection
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow, RowState, RunState
from TextSegmentLib.scene.segment.segments import is_completed
from TextSegmentLib.scene.volume_node import read_volume_node


class CorrectionSection:
    """Offers the correction of the selected segment.

    Args:
        ui: Widgets of the panel, by name.
        logic: Logic of the module.
        engine: Section that provides the segmenter.
        results: Section with the selected segment.
        section: Section that shows progress and messages.
        modality: Returns the modality that is chosen in the panel.
    """

    def __init__(
        self,
        ui: Any,
        logic: TextSegmentLogic,
        engine: EngineSection,
        results: ResultsSection,
        section: RunSection,
        modality: Callable[[], str],
    ) -> None:
        self._ui, self._logic, self._engine = ui, logic, engine
        self._results, self._section, self._modality = results, section, modality
        self._strip = EditorStrip(ui.correctButton.layout(), ui.correctLabel)
        self._bar = PreviewBar(ui, self.take, self.discard)
        self._mark_buttons = MarkButtons(ui, self._marks, self._strip.put_down, self._marked)
        self._run: CorrectionRun | None = None
        self._pump: Pump | None = None
        self._is_entered = False
        for button in (ui.applyButton, ui.applyHereButton):
            button.connect("clicked()", self.apply)
        ui.redoBoxButton.connect("clicked()", lambda: self._begin(anew=True))
        ui.drawOnceButton.connect("clicked()", self.draw_once)
        ui.drawOnceEdit.connect("returnPressed()", self.draw_once)
        ui.correctLabel.connect("linkActivated(QString)", self._follow)
        self.offer()

    @property
    def is_busy(self) -> bool:
        """Whether a correction is being computed."""
        return self._run is not None and self._run.is_active

    @property
    def is_pending(self) -> bool:
        """Whether a correction is being computed, or waits to be taken."""
        return self.is_busy or self._bar.is_shown

    @property
    def is_open(self) -> bool:
        """Whether the user has the tools before him: the panel is entered, and this section expanded."""
        return self._is_entered and self._ui.correctButton.visible and not self._ui.correctButton.collapsed

    @property
    def editor(self) -> Any:
        """The editor that is embedded in the panel; None until it is first needed."""
        return self._strip.editor

    def enter(self) -> None:
        """Take up the preview and the tools, because the user has come back to the panel."""
        self._is_entered = True
        self._bar.resume()
        self.offer()

    def leave(self) -> None:
        """Put the tools down and show the segment as it is, because the user leaves the panel."""
        self._is_entered = False
        self._bar.pause()
        self._mark_buttons.stop()
        self._strip.leave()

    def offer(self) -> None:
        """Bring buttons and tools in step with the selected segment."""
        self.drop_if_gone()
        results, segment_id = self._results.shown, self._segment_id()
        segment = _segment(results, segment_id)
        row = self._row(segment_id)
        can_edit = segment is not None and not is_completed(segment)
        has_nodes = results is not None and results.volume_node is not None
        can_apply = can_edit and has_nodes and not self.is_busy
        ui = self._ui
        for button in (ui.applyButton, ui.applyHereButton):
            button.enabled = can_apply and (row is None or self._has_edits(row))
        self._mark_buttons.enable(can_edit and has_nodes)
        marks = self._marks()
        ui.redoBoxButton.enabled = can_apply and row is not None and marks is not None and marks.has_box
        ui.drawOnceButton.enabled = has_nodes
        ui.correctButton.visible = has_nodes
        ui.correctLabel.text = what_is_corrected(segment, row)
        if results is not None and segment is not None and row is None:
            results.watch_own(segment_id)
        self._bring_strip_in_step(segment_id, can_edit and has_nodes)

    def drop_if_gone(self) -> None:
        """Forget a correction whose segment or image is gone."""
        run = self._run
        if run is None or run.is_active:  # an active one finds out by itself
            return
        segment = _segment(run.results, run.order.segment.segment_id)
        if segment is None or run.results.volume_node is None:
            self._bar.close()
            self._run = None

    def apply(self) -> None:
        """Carry what was drawn in the selected segment to the rest; take a correction that is shown."""
        if self._bar.is_shown:
            self.take()
        elif self._ui.applyButton.enabled:
            self._begin(anew=False)

    def take(self) -> None:
        """Put the correction that is shown in the place of the segment."""
        run = self._run
        if run is None or run.outcome is None or run.model is None or not self._bar.is_shown:
            return
        self._bar.close()
        try:
            take_over(
                run.results.history,
                run.results.volume_node,
                run.order.segment,
                run.outcome,
                run.model,
                run.order.modality,
            )
        except TextSegmentError as error:
            self._section.show_error(error)
        self._forget()

    def discard(self) -> None:
        """Forget the correction; the segment stays as it was drawn."""
        if self._run is not None:
            self._run.cancel()
        self._bar.close()
        self._forget()

    def toggle_blink(self) -> None:
        """Switch the blinking of the preview on or off."""
        self._bar.toggle_blink()

    def draw_once(self) -> None:
        """Make an empty segment for a structure that the model does not know, and let the user draw it."""
        results, name = self._results.shown, " ".join(self._ui.drawOnceEdit.text.split())
        if results is None or results.segmentation_node is None:
            return
        if not name:
            self._section.show_note(_("Name the structure first."))
            return
        segmentation = results.segmentation_node.GetSegmentation()
        segment_id = segmentation.AddEmptySegment("", name)
        state = SegmentState.of(segmentation.GetSegment(segment_id), None)
        results.history.begin("new").note(segment_id, None, state)
        self._ui.drawOnceEdit.text = ""
        self._results.refresh()
        self._results.select(segment_id)
        self._ui.correctButton.collapsed = False
        self.offer()
        if self.is_open:
            self._strip.take_up("Draw")
        text = _("Draw {name} in two or three slices, then apply the edits to the rest.")
        self._section.show_note(text.format(name=name))

    def scene_closing(self) -> None:
        """Let go of everything in the scene."""
        self.discard()
        self._strip.close()

    def stop(self) -> None:
        """Stop everything, because the panel is being destroyed."""
        self.scene_closing()
        if self._pump is not None:
            self._pump.stop()

    def _begin(self, *, anew: bool) -> None:
        results, segment_id, marks = self._results.shown, self._segment_id(), self._marks()
        if results is None or marks is None or self.is_busy:
            return
        self._bar.close()
        self._mark_buttons.stop()
        self._section.clear_message()
        try:
            segmenter = self._engine.agreed_segmenter()
            if segmenter is None:
                if self._engine.is_starting:
                    self._section.show_note(_("The engine is starting: apply again once it is ready."))
                return
            geometry = read_volume_node(results.volume_node).geometry
            self._run = self._logic.correct(
                results,
                segment_id,
                segmenter=segmenter,
                modality="" if self._row(segment_id) is not None else self._modality(),
                marks=marks.points(results.volume_node),
                box=marks.box(results.volume_node, geometry),
                anew=anew,
                on_event=self._run_changed,
            )
        except TextSegmentError as error:
            self._section.show_error(error)
            return
        self._pump = Pump(self._run.process_events)
        self.offer()

    def _run_changed(self, run: CorrectionRun) -> None:
        if run is not self._run:
            return
        self._section.show_correction(run)
        if run.is_active:
            return
        if run.state is RunState.DONE:
            self._bar.show(run)
        elif run.error is not None:
            self._section.show_error(run.error)
            if run.state is RunState.FAILED:
                self._engine.look()
            self._run = None
        self.offer()

    def _follow(self, link: str) -> None:
        results, row = self._results.shown, self._row(self._segment_id())
        if link == TAKE_BACK and results is not None and row is not None:
            results.take_acceptance_back(row)
            self._results.refresh()

    def _forget(self) -> None:
        self._run = None
        self._section.show_correction(None)
        self._results.refresh()
        self.offer()

    def _has_edits(self, row: ResultRow) -> bool:
        marks, results = self._marks(), self._results.shown
        if row.state is RowState.EDITED or row.segment_id is None:
            return True
        return marks is not None and results is not None and bool(marks.points(results.volume_node))

    def _segment_id(self) -> str:
        """Return the identifier of the selected segment; empty unless exactly one is selected."""
        chosen = self._results.selected_ids
        return chosen[0] if len(chosen) == 1 else ""

    def _row(self, segment_id: str) -> ResultRow | None:
        return next((row for row in self._results.rows if segment_id and row.segment_id == segment_id), None)

    def _marks(self) -> Marks | None:
        results, segment_id = self._results.shown, self._segment_id()
        if results is None or None in (results.segmentation_node, results.volume_node) or not segment_id:
            return None
        return Marks(results.segmentation_node, segment_id)

    def _marked(self) -> None:
        if self._is_entered:
            self.offer()

    def _bring_strip_in_step(self, segment_id: str, can_edit: bool) -> None:
        """Give the tools to the selected segment while the section is open."""
        results = self._results.shown
        node, volume_node = None, None
        if results is not None:
            node, volume_node = results.segmentation_node, results.volume_node
        if None in (node, volume_node) or not segment_id or not self.is_open:
            self._strip.leave()
        else:
            self._strip.edit(node, volume_node, segment_id, can_edit=can_edit)


def _segment(results: Results | None, segment_id: str) -> Any:
    node = results.segmentation_node if results is not None else None
    return node.GetSegmentation().GetSegment(segment_id) if node is not None and segment_id else None
