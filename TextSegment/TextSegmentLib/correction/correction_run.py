"""A correction, from the click to the corrected mask, on the thread that owns the scene."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import CancelledError, TextSegmentError
from textsegment.segmenter import ModelInfo, Progress, Queued, Segmenter

from TextSegmentLib.background import BackgroundTask, defect
from TextSegmentLib.correction.correcting import CorrectedMask, CorrectionOrder, correct
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import RunState
from TextSegmentLib.scene.run.finding import VoxelsCopied
from TextSegmentLib.scene.volume_node import VolumeSource


class CorrectionRun:
    """Computes a corrected mask; no segment is changed by it.

    Call ``process_events`` until it returns False, as for a ``Run``.

    Args:
        source: Voxels and geometry of the volume of ``results``.
        results: Results that hold the segment.
        order: What to correct.
        segmenter: Segmenter that carries the edits on.
        on_event: Callback that gets this run after every change.

    Attributes:
        results: Results that hold the segment.
        order: What is corrected.
        state: State of the correction.
        fraction: Progress, 0 to 1.
        stage: Stage of the work, see ``Progress``.
        error: Error that ended the correction, or None.
        model: Model behind the segmenter; None until it is known.
        outcome: Corrected mask; None until it is there.
    """

    def __init__(
        self,
        source: VolumeSource,
        results: Results,
        order: CorrectionOrder,
        segmenter: Segmenter,
        *,
        on_event: Callable[[CorrectionRun], None] = lambda run: None,
    ) -> None:
        self.results, self.order = results, order
        self.state = RunState.RUNNING
        self.fraction, self.stage = 0.0, ""
        self.error: TextSegmentError | None = None
        self.model: ModelInfo | None = None
        self.outcome: CorrectedMask | None = None
        self._source, self._on_event = source, on_event
        self._began = time.monotonic()
        self._task: BackgroundTask[CorrectedMask] = BackgroundTask(
            lambda report, token: correct(source, segmenter, order, report, token)
        ).start()

    @property
    def is_active(self) -> bool:
        """Whether the correction is still being computed."""
        return self.state is RunState.RUNNING

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def process_events(self) -> bool:
        """Handle reports from the worker; return whether this must be called again."""
        if not self.is_active:
            return False
        try:
            self._require_nodes()
            for report in self._task.reports():
                self._take(report)
            if self._task.is_over:
                self._finish(self._task.result())
        except CancelledError as error:
            self._end(RunState.CANCELLED, error)
        except TextSegmentError as error:
            self._end(RunState.FAILED, error)
        except Exception as error:
            if not self.is_active:
                raise
            self._end(RunState.FAILED, defect(error))
        return self.is_active

    def cancel(self) -> None:
        """Stop at once; the segment stays as it was drawn."""
        if self.is_active:
            self._end(RunState.CANCELLED, CancelledError(_("Cancelled. The segment is as you drew it.")))

    def _require_nodes(self) -> None:
        node, volume_node = self.results.segmentation_node, self.results.volume_node
        if volume_node is None:
            raise CancelledError(_("The volume was deleted."), _("The segment is as you drew it."))
        if node is None:
            raise CancelledError(_("The segmentation was deleted."), _("Choose another one."))
        if node.GetSegmentation().GetSegment(self.order.segment.segment_id) is None:
            raise CancelledError(_("The segment was removed."), _("Choose another one."))
        if self._source.shows_another(volume_node) or self._source.is_moved(volume_node):
            raise CancelledError(
                _("The volume shows another image now."), _("The segment is as you drew it: apply again.")
            )

    def _take(self, report: Any) -> None:
        if isinstance(report, VoxelsCopied):
            self._source.require_unchanged()
        elif isinstance(report, ModelInfo):
            self.model = report
        elif isinstance(report, Progress):
            self.fraction, self.stage = report.fraction, report.stage
        elif isinstance(report, Queued):
            self.stage = "waiting"
        self._on_event(self)

    def _finish(self, outcome: CorrectedMask) -> None:
        self.order.segment.source.require_unchanged()
        self.outcome = outcome
        self.fraction = 1.0
        self._end(RunState.DONE)

    def _end(self, state: RunState, error: TextSegmentError | None = None) -> None:
        self.state, self.error = state, error
        self._task.cancel()
        del self._task, self._source  # they keep the voxels alive
        self._on_event(self)
