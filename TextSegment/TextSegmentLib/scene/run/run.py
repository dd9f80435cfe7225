"""A run, from the click to the last segment, on the thread that owns the scene."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _
from textsegment import doubt
from textsegment.errors import CancelledError, TextSegmentError
from textsegment.prompt import unique_prompts
from textsegment.segmentation import Segmentation
from textsegment.segmenter import Estimated, ModelInfo, Progress, Queued, Segmenter
from textsegment.vocabulary.selection import Selection

from TextSegmentLib.background import BackgroundTask, defect
from TextSegmentLib.history.history import Step
from TextSegmentLib.history.stored_masks import Kind, StoredMasks
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow, RunState
from TextSegmentLib.scene.run.finding import FoundMask, Request, TidiedMask, VoxelsCopied, find
from TextSegmentLib.scene.run.target import Target
from TextSegmentLib.scene.segment.record import tags_for
from TextSegmentLib.scene.segment.segments import add_segment
from TextSegmentLib.scene.volume_node import VolumeSource

# After handling incoming masks for this long, let the GUI redraw.
_STEP_S = 0.03
# Share of the work after which its pace predicts the rest better than the estimate.
_TELLING_SHARE = 0.1


class Run:
    """A search for structures in one volume, whose masks become segments of one segmentation node.

    Call ``process_events`` until it returns False: with a ``Pump`` on the GUI thread, or in a loop.
    Attributes change only there and in the methods of this class.

    Args:
        source: Voxels and geometry of the volume of ``results``.
        target: Target that receives the segments.
        results: Results of the same nodes, where what is found is registered.
        request: Request to carry out.
        structures: Prompts known in advance, so that they have rows from the start; may be empty.
        segmenter: Segmenter that finds the structures.
        run_id: Identifier of an earlier run that this one continues; empty for a run of its own.
        step: Step that undoes what was done for this run already; None if nothing was.
        replaced: Rows whose segments are replaced once their structure is found anew.
        on_event: Callback that gets this run after every change.

    Attributes:
        results: Results that were found, and what can be done with them.
        segmentation_node, volume_node: Nodes of the run; None once they were deleted.
        state: State of the run.
        fraction: Progress, 0 to 1.
        stage: Stage of the work, see ``Progress``; empty before the first report.
        queue_position: Number of jobs ahead of this one while it is queued, else None.
        estimate: Estimated cost of the run; None until it is known.
        error: Error that ended the run, or None.
        warnings: Sentences for the user about the image as a whole.
        model: Model that carries out the run; None until it is known.
    """

    def __init__(
        self,
        source: VolumeSource,
        target: Target,
        results: Results,
        request: Request,
        structures: Sequence[str],
        segmenter: Segmenter,
        *,
        run_id: str = "",
        step: Step | None = None,
        replaced: Sequence[ResultRow] = (),
        on_event: Callable[[Run], None] = lambda run: None,
    ) -> None:
        self.results = results
        self.state = RunState.QUEUED
        self.fraction = 0.0
        self.stage = ""
        self.queue_position: int | None = None
        self.estimate: Estimated | None = None
        self._estimated_at, self._fraction_then = 0.0, 0.0
        self.error: TextSegmentError | None = None
        self.warnings: tuple[str, ...] = target.warnings
        self.model: ModelInfo | None = None
        self._id = run_id or uuid.uuid4().hex
        self._step = step or Step("run", self._id)
        self._modality = request.modality
        self._structures: tuple[str, ...] = ()
        self._target = target
        self._replaced = tuple(replaced)
        self._on_event = on_event
        self._began, self._ended = time.monotonic(), 0.0
        self._source = source
        self._transform_id = results.volume_node.GetTransformNodeID()
        self._look_for(structures)
        self._task: BackgroundTask[Segmentation] = BackgroundTask(
            lambda report, token: find(source, segmenter, request, report, token)
        ).start()

    @property
    def segmentation_node(self) -> Any:
        """Segmentation that receives the segments; None once it was deleted."""
        return self.results.segmentation_node

    @property
    def volume_node(self) -> Any:
        """Volume that is segmented; None once it was deleted."""
        return self.results.volume_node

    @property
    def rows(self) -> tuple[ResultRow, ...]:
        """Current rows of the structures that this run looks for."""
        keys = {f"{self._id} {structure}" for structure in self._structures}
        return tuple(row for row in self.results.rows if row.key in keys)

    @property
    def is_active(self) -> bool:
        """Whether the run is queued or running."""
        return self.state in (RunState.QUEUED, RunState.RUNNING)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start until now, or until the end of the run."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def seconds_left(self) -> float | None:
        """Approximate seconds until the end; None if nothing is known about it, or if the run is over.

        At first this is the estimate; once a part of the work is done, its pace tells more.
        """
        if not self.is_active or self.estimate is None:
            return None
        spent, done = time.monotonic() - self._estimated_at, self.fraction - self._fraction_then
        if done >= _TELLING_SHARE:
            return spent / done * (1.0 - self.fraction)
        return None if self.estimate.seconds is None else max(self.estimate.seconds - spent, 0.0)

    def process_events(self) -> bool:
        """Handle reports from the worker, for a few hundredths of a second at most.

        Returns:
            Whether the run is still active, so that this must be called again.
        """
        if not self.is_active:
            return False
        try:
            self._require_nodes()
            self._take_reports()
        except CancelledError as error:
            self._end(RunState.CANCELLED, error)
        except TextSegmentError as error:
            self._end(RunState.FAILED, error)
        except Exception as error:
            if self.is_active:
                self._end(RunState.FAILED, defect(error))
            else:
                raise
        return self.is_active

    def cancel(self) -> None:
        """Stop at once; segments found so far are kept."""
        if self.is_active:
            self._end(RunState.CANCELLED, CancelledError(_("Cancelled. What was found stays.")))

    def undo(self, *, edited_too: bool = False) -> tuple[str, ...]:
        """Stop, and remove what was found; see ``Results.undo``."""
        self.cancel()
        return self.results.undo(self._id, edited_too=edited_too)

    def _look_for(self, structures: Sequence[str]) -> None:
        self._structures = tuple(prompt.text for prompt in unique_prompts(structures)) if structures else ()
        self.results.begin(self._id, self._structures, self._modality, self._target)

    def _require_nodes(self) -> None:
        if self.volume_node is None:
            raise CancelledError(_("The volume was deleted."), _("What was found before stays."))
        if self.segmentation_node is None:
            raise CancelledError(_("The segmentation was deleted."), _("Choose another one and start again."))
        if self._source.is_moved(self.volume_node):
            raise CancelledError(_("The volume was moved without a transform."), _("Start again."))
        if self._source.shows_another(self.volume_node):
            self._warn(_("The volume shows another image now: the segments belong to the one before."))
        if self.volume_node.GetTransformNodeID() != self._transform_id:
            self._warn(_("The volume was moved during the run: the segments lie where it was at the start."))

    def _take_reports(self) -> None:
        until = time.monotonic() + _STEP_S
        for report in self._task.reports():
            self._take(report)
            self._on_event(self)
            if not self.is_active or time.monotonic() > until:
                return
        if self._task.is_over:
            self._take_result(self._task.result())

    def _take(self, report: Any) -> None:
        if isinstance(report, VoxelsCopied):
            self._source.require_unchanged()
        elif isinstance(report, ModelInfo):
            self.model = report
        elif isinstance(report, Selection):
            self._warn(*report.notes)
            if not self._structures:
                self._look_for(report.structures)
        elif isinstance(report, Queued):
            self.queue_position = report.position
        elif isinstance(report, Estimated):
            self.estimate = report
            self._estimated_at, self._fraction_then = time.monotonic(), self.fraction
        elif isinstance(report, Progress):
            self.state, self.queue_position = RunState.RUNNING, None
            self.fraction, self.stage = report.fraction, report.stage
        elif isinstance(report, TidiedMask):
            self._tidy(report)
        elif isinstance(report, FoundMask):
            self.state = RunState.RUNNING
            self._add(report)

    def _add(self, found: FoundMask) -> None:
        """Add a segment for a mask, unless it is empty."""
        mask, segment_id, packed = found.mask, None, None
        if found.labelmap is not None and found.packed is not None and self.model is not None:
            packed = self._target.place(found.labelmap, found.packed)
            tags = tags_for(mask, self.model, packed.content, run_id=self._id, modality=self._modality)
            StoredMasks(self.segmentation_node).keep(Kind.RESULT, packed.content, packed)
            self._make_way_for(mask.structure)
            self.results.save_for_editor()
            segment_id = add_segment(self.segmentation_node, mask.structure, found.labelmap, tags)
        self.results.take(
            self._id, mask.structure, mask.statistics, segment_id, mask.warnings, packed, self._step
        )

    def _tidy(self, tidied: TidiedMask) -> None:
        """Give a segment of this run its tidied mask, unless the user has worked on it meanwhile."""
        assert tidied.packed is not None
        assert self.model is not None
        mask, packed = tidied.mask, self._target.moved(tidied.packed)
        tags = tags_for(mask, self.model, packed.content, run_id=self._id, modality=self._modality)
        key = f"{self._id} {mask.structure}"
        row = next((row for row in self.results.rows if row.key == key and row.segment_id), None)
        if row is not None:
            self.results.change(row, mask.statistics, packed, tags, self._step)

    def _make_way_for(self, structure: str) -> None:
        there = {row.key for row in self.results.rows}  # some may be gone by now
        for row in self._replaced:
            if row.structure == structure and row.key in there:
                self.results.make_way(row, self._step)

    def _warn(self, *sentences: str) -> None:
        self.warnings = tuple(dict.fromkeys((*self.warnings, *sentences)))

    def _take_result(self, result: Segmentation) -> None:
        most = doubt.about_most(result, self.model.calibration if self.model is not None else None)
        self._warn(*result.warnings, *filter(None, [most]))
        self.fraction = 1.0
        self._end(RunState.DONE)

    def _end(self, state: RunState, error: TextSegmentError | None = None) -> None:
        self.state, self.error = state, error
        self.queue_position = None
        self._ended = time.monotonic()
        self._task.cancel()
        del self._task, self._source  # they keep the voxels alive
        if state is not RunState.DONE:
            self._target.take_back()
        self._on_event(self)
