"""One run: from the click to the last segment, on the thread that owns the scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from slicer.i18n import tr as _
from textsegment.errors import CancelledError, TextSegmentError
from textsegment.segmentation import Segmentation
from textsegment.segmenter import ModelInfo, Progress, Queued, Segmenter

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.scene.finding import FoundMask, VoxelsCopied, find
from TextSegmentLib.scene.results import Results
from TextSegmentLib.scene.rows import ResultRow, RunState
from TextSegmentLib.scene.volume_node import matrix_of, read_volume_node

# After this long with masks coming in, the windows get a chance to draw.
_STEP_S = 0.03


class Run:
    """Structures looked for in one volume, on their way into one segmentation node.

    ``process_events`` has to be called again and again until it returns false: by a ``Pump`` on the GUI
    thread, or by a loop. Attributes change only there and in the methods of this class.

    Args:
        results: Takes what is found.
        rows: Those of ``results`` that are looked for, at least one.
        segmenter: What finds them.
        on_event: Called with this run after every change.

    Attributes:
        results: What was found, with all that can be done with it.
        rows: Those that are looked for.
        state: How it stands.
        fraction: 0 to 1.
        stage: What is being done, see ``Progress``; empty before the first news.
        queue_position: Jobs before this one while it waits; else None.
        error: Why it failed or was cancelled.
        warnings: Sentences for the user, on the whole image.
        model: What answers, once that is known.

    Raises:
        TextSegmentError: The volume cannot be used.
    """

    def __init__(
        self,
        results: Results,
        rows: Sequence[ResultRow],
        segmenter: Segmenter,
        on_event: Callable[[Run], None] = lambda run: None,
    ) -> None:
        source = read_volume_node(results.volume_node, results.modality)
        self.results = results
        self.rows = list(rows)
        self.state = RunState.QUEUED
        self.fraction = 0.0
        self.stage = ""
        self.queue_position: int | None = None
        self.error: TextSegmentError | None = None
        self.warnings: tuple[str, ...] = results.warnings
        self.model: ModelInfo | None = None
        self._on_event = on_event
        self._began, self._ended = time.monotonic(), 0.0
        self._source = source
        structures = [row.structure for row in rows]
        self._job = BackgroundTask(
            lambda report, token: find(source, segmenter, structures, report, token)
        ).start()

    @property
    def segmentation_node(self) -> Any:
        """Where the segments go; None once it was deleted."""
        return self.results.segmentation_node

    @property
    def volume_node(self) -> Any:
        """What is segmented; None once it was deleted."""
        return self.results.volume_node

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (RunState.QUEUED, RunState.RUNNING)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the click until now, or until the end."""
        return (self._ended or time.monotonic()) - self._began

    def process_events(self) -> bool:
        """Take news from the worker, for a few hundredths of a second at most.

        Returns:
            Whether more is to come.
        """
        if not self.is_active:
            return False
        try:
            self.results.require_nodes()
            self._require_place()
            self._take_reports()
        except CancelledError as error:
            self._end(RunState.CANCELLED, error)
        except TextSegmentError as error:
            self._end(RunState.FAILED, error)
        return self.is_active

    def cancel(self) -> None:
        """Stop at once; what was found stays."""
        if self.is_active:
            self._end(RunState.CANCELLED, CancelledError(_("Cancelled. What was found stays.")))

    def undo(self, *, edited_too: bool = False) -> tuple[str, ...]:
        """Stop, and take back what was found; see ``Results.undo``."""
        self.cancel()
        return self.results.undo(edited_too=edited_too)

    def _require_place(self) -> None:
        if not np.array_equal(matrix_of(self.volume_node.GetIJKToRASMatrix), self._source.ijk_to_ras):
            raise CancelledError(_("The volume was moved without a transform."), _("Start again."))

    def _take_reports(self) -> None:
        until = time.monotonic() + _STEP_S
        for report in self._job.reports():
            self._take(report)
            self._on_event(self)
            if not self.is_active or time.monotonic() > until:
                return
        if self._job.is_over:
            self._take_result(self._job.result())

    def _take(self, report: Any) -> None:
        if isinstance(report, VoxelsCopied):
            self._source.require_unchanged()
        elif isinstance(report, ModelInfo):
            self.model = report
        elif isinstance(report, Queued):
            self.queue_position = report.position
        elif isinstance(report, Progress):
            self.state, self.queue_position = RunState.RUNNING, None
            self.fraction, self.stage = report.fraction, report.stage
        elif isinstance(report, FoundMask):
            self.state = RunState.RUNNING
            self.results.add(report, self.model)

    def _take_result(self, result: Segmentation) -> None:
        self.warnings = tuple(dict.fromkeys((*self.warnings, *result.warnings)))
        self.fraction = 1.0
        self._end(RunState.DONE)

    def _end(self, state: RunState, error: TextSegmentError | None = None) -> None:
        self.state, self.error = state, error
        self.queue_position = None
        self._ended = time.monotonic()
        self._job.cancel()
        del self._job, self._source  # they hold the voxels
        if state is not RunState.DONE:
            self.results.take_back_node()
        self._on_event(self)
