"""Starts and follows runs: one at a time, and never duplicating segments without asking."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.segmenter import Segmenter

from TextSegmentLib import settings
from TextSegmentLib.background import Pump
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.panel.engine.section import EngineSection
from TextSegmentLib.panel.results.section import ResultsSection
from TextSegmentLib.panel.run.progress_text import roughly
from TextSegmentLib.panel.run.section import RunSection
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow, RunState
from TextSegmentLib.scene.run.run import Run

_MOST_NAMES = 6
_CLOCK_S = 0.25  # interval between progress updates


@dataclass(frozen=True, eq=False)
class RunRequest:
    """What the user asked for, at the time of asking.

    Attributes:
        volume_node: Volume node to segment.
        segmentation_node: Segmentation node that receives the result; None to create one.
        structures: Names of the structures, used as prompts.
        modality: DICOM modality code.
        roi_node: ROI node that limits segmentation; None for the whole image.
        tidy: Whether masks are tidied; None for what is usual for the model.
        check: Whether the image is looked at a second time, to find out which masks are unstable.
    """

    volume_node: Any
    segmentation_node: Any
    structures: tuple[str, ...]
    modality: str
    roi_node: Any = None
    tidy: bool | None = None
    check: bool = False


class Runs:
    """Starts runs and follows them to their end.

    Args:
        logic: Logic of the module.
        engine: Section that provides the segmenter.
        section: Section that shows the progress of a run.
        results: Section that shows the results.
        is_wanted: Returns whether a request that had to wait still matches the text.
        on_started: Called with the run that a request has started.
        on_changed: Called whenever a run has changed.
    """

    def __init__(
        self,
        logic: TextSegmentLogic,
        engine: EngineSection,
        section: RunSection,
        results: ResultsSection,
        *,
        is_wanted: Callable[[RunRequest], bool],
        on_started: Callable[[Run], None],
        on_changed: Callable[[], None],
    ) -> None:
        self._logic, self._engine, self._section, self._results = logic, engine, section, results
        self._is_wanted, self._on_started, self._on_changed = is_wanted, on_started, on_changed
        self._awaited: Callable[[], object] | None = None
        self._asked: RunRequest | None = None
        self._next: RunRequest | None = None
        self._early: RunRequest | None = None
        self._pump: Pump | None = None
        self._shown_at = 0.0
        self._shown_state: tuple[RunState, str] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress."""
        return self._logic.run is not None and self._logic.run.is_active

    def ask_for(self, request: RunRequest) -> None:
        """Start a run; queue it if one is in progress, and ask first if segments would be duplicated."""
        if self.is_running:
            self._put_behind(request)
            return
        there = _rows_there(request)
        if not there:
            self._begin(request)
            return
        self._asked = request
        text = _("The segmentation has {names} already.")
        self._section.ask(
            text.format(names=_few([row.structure for row in there])),
            (_("Replace (what you edited or accepted stays)"), lambda: self._answer(request, there)),
            (_("Keep both"), lambda: self._answer(request, ())),
        )

    def ask_once_ready(self, request: RunRequest) -> None:
        """Start a run as soon as the engine is ready, which it is not yet, and say so."""
        self._early = request
        self._section.ask(_("Begins as soon as the engine is ready."), (_("Leave it"), self._drop_early))

    def check(self, rows: Sequence[ResultRow], request: RunRequest) -> None:
        """Ask whether to look at structures a second time, and say what that costs.

        Args:
            rows: Rows whose segments are replaced by the same ones, with more known about them.
            request: Request for their structures.
        """
        if self.is_running or not rows:
            return
        run = self._logic.run
        known = run.estimate.seconds if run is not None and run.estimate is not None else None
        cost = _("about twice as long as to segment them")
        if known:
            cost = _("about {time}").format(time=roughly(2 * known))
        text = _("The image is looked at twice, the second time shifted by half a voxel: {cost}.")
        self._section.ask(
            text.format(cost=cost),
            (_("Check {count} structures").format(count=len(rows)), lambda: self._answer(request, rows)),
            (_("Leave it"), self._section.clear_message),
        )

    def redo(self, row: ResultRow) -> None:
        """Segment the structure of a row again."""
        results = self._results.shown
        if results is None:
            return

        def start(segmenter: Segmenter) -> Run:
            return self._logic.redo(
                results, row, segmenter=segmenter, tidy=settings.tidy(), on_event=self._run_changed
            )

        def again() -> None:
            if self._results.shown is results:
                self.redo(row)

        self._start(start, if_starting=again)

    def cancel(self) -> None:
        """Cancel the current run and discard any request that is waiting."""
        if self._logic.run is not None:
            self._logic.run.cancel()
        self._next = self._asked = self._awaited = None
        if self._early is not None:
            self._drop_early()

    def resume(self) -> None:
        """Start the run that was waiting for the engine, if it is still wanted."""
        if self._early is not None and not self._engine.is_busy:
            early = self._early
            self._drop_early()
            if not self._engine.obstacle and self._is_wanted(early):  # otherwise the engine says why
                self.ask_for(early)
            return
        if self._awaited is None or self._engine.is_starting:
            return
        awaited, self._awaited = self._awaited, None
        if self._engine.model is not None:
            awaited()

    def forget_question(self) -> None:
        """Remove a pending question if the text no longer matches it."""
        if self._asked is not None and not self._is_wanted(self._asked):
            self._asked = None
            self._section.clear_message()
        if self._early is not None and not self._is_wanted(self._early):
            self._drop_early()

    def stop(self) -> None:
        """Cancel everything, because the panel is being destroyed."""
        self.cancel()
        if self._pump is not None:
            self._pump.stop()

    def _put_behind(self, request: RunRequest) -> None:
        """Queue a request behind the current run, unless it asks for the same structures."""
        run = self._logic.run
        if run is None or set(request.structures) == {row.structure for row in run.rows}:
            return
        self._next = request
        text = _("Next: {names}.").format(names=_few(request.structures))
        self._section.ask(text, (_("Leave it out"), self._drop_next))

    def _drop_next(self) -> None:
        self._next = None
        self._section.clear_message()

    def _drop_early(self) -> None:
        self._early = None
        self._section.clear_message()

    def _answer(self, request: RunRequest, replaced: Sequence[ResultRow]) -> None:
        self._asked = None
        self._begin(request, replaced)

    def _begin(self, request: RunRequest, replaced: Sequence[ResultRow] = ()) -> None:
        def start(segmenter: Segmenter) -> Run:
            return self._logic.start(
                request.volume_node,
                request.structures,
                request.segmentation_node,
                modality=request.modality,
                segmenter=segmenter,
                roi_node=request.roi_node,
                replaced=replaced,
                tidy=request.tidy,
                check=request.check,
                on_event=self._run_changed,
            )

        def again() -> None:
            if request.check or self._is_wanted(request):
                self._begin(request, replaced)

        run = self._start(start, if_starting=again)
        if run is not None:
            self._on_started(run)

    def _start(self, start: Callable[[Segmenter], Run], if_starting: Callable[[], None]) -> Run | None:
        """Start a run with the engine the user has chosen.

        Args:
            start: Function that starts the run with a segmenter.
            if_starting: Function called to try again once the engine has started.

        Returns:
            The run; None if it could not start yet or at all, in which case the user has been told why.
        """
        self._section.clear_message()
        try:
            segmenter = self._engine.agreed_segmenter()
            if segmenter is None:
                self._awaited = if_starting if self._engine.is_starting else None
                return None
            run = start(segmenter)
        except TextSegmentError as error:
            self._section.show_error(error)
            return None
        self._run_changed(run)
        self._pump = Pump(lambda: self._take_news(run))
        return run

    def _take_news(self, run: Run) -> bool:
        more = run.process_events()
        if time.monotonic() - self._shown_at > _CLOCK_S:
            self._shown_at = time.monotonic()
            self._section.show_run(run)
        if not more and run.state is RunState.DONE and self._next is not None:
            request, self._next = self._next, None
            self.ask_for(request)
            self._section.add_note(*run.warnings)  # of the run that has just finished
        return more

    def _run_changed(self, run: Run) -> None:
        is_news = not run.is_active or (run.state, run.stage) != self._shown_state
        if is_news or time.monotonic() - self._shown_at > _CLOCK_S:
            self._shown_at, self._shown_state = time.monotonic(), (run.state, run.stage)
            self._section.show_run(run)
        self._results.follow(run.results, is_active=run.is_active)
        self._on_changed()
        if run.is_active:
            return
        left = [_("Not begun: {names}.").format(names=_few(self._next.structures))] if self._next else []
        if run.state is RunState.FAILED and run.error is not None:
            self._next = None
            self._section.show_error(run.error, *left)
            self._engine.look()
        elif run.state is RunState.CANCELLED and run.error is not None:
            self._next = None
            self._section.show_note(run.error.message, run.error.hint, *left)
        elif run.warnings:
            self._section.show_note(*run.warnings)


def _rows_there(request: RunRequest) -> list[ResultRow]:
    """Return the rows of the segmentation whose segments a request would duplicate."""
    if request.segmentation_node is None:
        return []
    rows = Results(request.volume_node, request.segmentation_node).rows
    return [row for row in rows if row.segment_id and row.structure in request.structures]


def _few(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join([*names[:_MOST_NAMES], *(["…"] if len(names) > _MOST_NAMES else [])])
