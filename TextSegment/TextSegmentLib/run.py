"""One run: from the click to the last segment, on the thread that owns the scene."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import textsegment
from slicer.i18n import tr as _
from textsegment.errors import BusyError, CancelledError, TextSegmentError
from textsegment.prompt import unique_prompts
from textsegment.segmentation import Segmentation
from textsegment.segmenter import ModelInfo, Progress, Queued, Segmenter

from TextSegmentLib.finding import Found, VoxelsCopied, find
from TextSegmentLib.job import Job
from TextSegmentLib.mrml import VolumeSource, matrix_of, read_volume_node
from TextSegmentLib.rows import ResultRow, RunState
from TextSegmentLib.segments import Original, add_segment, set_status, tag_of
from TextSegmentLib.target import Target

# After this long with masks coming in, the windows get a chance to draw.
_STEP_S = 0.03


class Run:
    """Structures looked for in one volume, on their way into one segmentation node.

    ``process_events`` has to be called again and again until it returns false: by a ``Pump`` on the GUI
    thread, or by a loop. Attributes change only there and in the methods of this class. Nothing but this
    run's own segments is ever changed.

    Args:
        volume_node: What to segment.
        segmentation_node: Where to; None for a new one beside the volume.
        structures: Prompts, at least one.
        modality: DICOM code.
        segmenter: What finds them.
        on_event: Called with this run after every change.

    Attributes:
        modality: DICOM code.
        rows: One a structure, in order.
        state: How it stands.
        fraction: 0 to 1.
        stage: What is being done, see ``Progress``; empty before the first news.
        queue_position: Jobs before this one while it waits; else None.
        error: Why it failed or was cancelled.
        warnings: Sentences for the user, on the whole image.
        model: What answers, once that is known.

    Raises:
        TextSegmentError: The nodes or the structures cannot be used; nothing was changed.
    """

    def __init__(
        self,
        volume_node: Any,
        segmentation_node: Any,
        structures: Sequence[str],
        *,
        modality: str,
        segmenter: Segmenter,
        on_event: Callable[[Run], None] = lambda run: None,
    ) -> None:
        source = read_volume_node(volume_node, modality)
        self.modality = source.modality
        self.rows = [ResultRow(prompt.text) for prompt in unique_prompts(structures)]
        self._target = Target(volume_node, segmentation_node)
        self.state = RunState.QUEUED
        self.fraction = 0.0
        self.stage = ""
        self.queue_position: int | None = None
        self.error: TextSegmentError | None = None
        self.warnings: tuple[str, ...] = self._target.warnings
        self.model: ModelInfo | None = None
        self._id = uuid.uuid4().hex
        self._segmenter = segmenter
        self._on_event = on_event
        self._originals: dict[str, Original] = {}
        self._begin(source, self.rows)

    @property
    def segmentation_node(self) -> Any:
        """Where the segments go; None once it was deleted."""
        return self._target.node

    @property
    def volume_node(self) -> Any:
        """What is segmented; None once it was deleted."""
        return self._target.volume_node

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
            self._require_nodes()
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

    def redo(self, structure: str) -> None:
        """Look for one structure again.

        Its segment is replaced, but kept beside the new one if it was edited or accepted.

        Raises:
            BusyError: The run is not over.
            TextSegmentError: The volume or the segmentation is gone, or cannot be used any more.
        """
        if self.is_active:
            raise BusyError(_("The run is not over."), _("Wait for its end, or cancel it."))
        self._require_nodes()
        row = self._row(structure)
        source = read_volume_node(self.volume_node, self.modality)
        if not self._is_users_own(row):
            self._remove(row)
        row.wait()
        self._begin(source, [row])
        self._on_event(self)

    def accept(self, structure: str) -> None:
        """Mark a segment as completed; undo keeps it from now on."""
        row = self._row(structure)
        if self._segment(row):
            row.accepted = True
            set_status(self._segment(row), "Completed")
            self._on_event(self)

    def delete(self, structure: str) -> None:
        """Remove the segment of a structure, edited or not."""
        row = self._row(structure)
        self._remove(row)
        row.lose()
        self._on_event(self)

    def undo(self, *, edited_too: bool = False) -> tuple[str, ...]:
        """Take back this run: cancel it, and remove its segments.

        Args:
            edited_too: Whether to remove also what was edited or accepted since.

        Returns:
            Names of the segments that were kept because they were edited or accepted.
        """
        self.cancel()
        kept = []
        for row in self.rows:
            if not edited_too and self._is_users_own(row):
                kept.append(self._segment(row).GetName())
            elif row.segment_id is not None:
                self._remove(row)
                row.lose()
        self._target.take_back()
        self._on_event(self)
        return tuple(kept)

    def refresh(self) -> None:
        """Notice segments that somebody else has removed."""
        for row in self.rows:
            if row.segment_id is not None and self._segment(row) is None:
                row.lose()

    def _begin(self, source: VolumeSource, rows: Sequence[ResultRow]) -> None:
        structures = [row.structure for row in rows]
        segmenter = self._segmenter
        self.state, self.error, self.fraction, self.stage = RunState.QUEUED, None, 0.0, ""
        self._began, self._ended = time.monotonic(), None
        self._source = source
        self._date = datetime.now(UTC).isoformat(timespec="seconds")
        self._job = Job(lambda report, token: find(source, segmenter, structures, report, token)).start()

    def _require_nodes(self) -> None:
        if self.volume_node is None:
            raise CancelledError(_("The volume was deleted."), _("What was found before stays."))
        if self.segmentation_node is None:
            raise CancelledError(_("The segmentation was deleted."), _("Choose another one and start again."))

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
        elif isinstance(report, Found):
            self.state = RunState.RUNNING
            self._add(report)

    def _add(self, found: Found) -> None:
        row = self._row(found.mask.structure)
        segment_id = None
        if found.labelmap is not None:
            matrix = self._target.place(found.labelmap)
            node = self.segmentation_node
            segment_id = add_segment(node, row.structure, found.labelmap, self._tags(row.structure))
            self._originals[segment_id] = Original(found.labelmap, found.content.moved(matrix))
        row.show(found.mask.statistics, segment_id, found.mask.warnings)

    def _tags(self, structure: str) -> dict[str, str]:
        return {
            "model": self.model.model,
            "weights_sha256": self.model.weights_sha256,
            "prompt": structure,
            "modality": self.modality,
            "version": textsegment.__version__,
            "date": self._date,
            "run": self._id,
        }

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
        if state is not RunState.DONE and self.segmentation_node is not None:
            self._target.take_back()
        self._on_event(self)

    def _row(self, structure: str) -> ResultRow:
        return next(row for row in self.rows if row.structure == structure)

    def _segment(self, row: ResultRow) -> Any:
        node = self.segmentation_node
        if node is None or row.segment_id is None:
            return None
        segment = node.GetSegmentation().GetSegment(row.segment_id)
        # Somebody may have removed it, and a later run may have taken the identifier.
        return segment if segment and tag_of(segment, "run") == self._id else None

    def _is_users_own(self, row: ResultRow) -> bool:
        """Whether a segment was edited, or accepted as it is."""
        segment = self._segment(row)
        if segment is None:
            return False
        return row.accepted or not self._originals[row.segment_id].is_still(segment)

    def _remove(self, row: ResultRow) -> None:
        if self._segment(row) is not None:
            self.segmentation_node.GetSegmentation().RemoveSegment(row.segment_id)
            del self._originals[row.segment_id]
