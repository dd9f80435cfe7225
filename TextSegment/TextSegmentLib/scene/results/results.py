"""Results of runs in a segmentation, and what can be done with them.

Rows are read from the segments themselves on every access, so segments that are renamed, edited, removed or
restored elsewhere need no notification. The segments carry what is needed after save and load as tags.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from textsegment.segmentation import MaskStatistics

from TextSegmentLib.history.history import History, Step, history_of
from TextSegmentLib.history.packed_mask import PackedMask
from TextSegmentLib.history.segment_state import SegmentState, write_mask
from TextSegmentLib.history.stored_masks import Kind, StoredMasks
from TextSegmentLib.scene.results.asked import Asked, AskedStructures
from TextSegmentLib.scene.results.edits import Suspect, Verdict
from TextSegmentLib.scene.results.removal import finish, remove_made
from TextSegmentLib.scene.results.result_rows import Made, is_users_own, made_in, rows_of, suspects_of
from TextSegmentLib.scene.results.rows import ResultRow
from TextSegmentLib.scene.run.target import Target
from TextSegmentLib.scene.segment.record import mark_anew, tags_of, untidied_tags
from TextSegmentLib.scene.segment.segments import set_status
from TextSegmentLib.scene.weak_node import WeakNode

# After removing segments for this long, let the GUI redraw.
_STEP_S = 0.03


class Results:
    """Segments that runs have made in a segmentation; no other segment is ever changed.

    Creating this object changes no node.

    Args:
        volume_node: Volume that was segmented.
        segmentation_node: Segmentation that holds the segments.

    Attributes:
        history: Steps that can be undone in this segmentation.
    """

    def __init__(self, volume_node: Any, segmentation_node: Any) -> None:
        self._volume, self._segmentation = WeakNode(volume_node), WeakNode(segmentation_node)
        self._asked = AskedStructures()
        self._take_up()
        self._own: set[str] = set()
        self._targets: dict[str, Target] = {}
        self.history: History = history_of(segmentation_node)

    @property
    def segmentation_node(self) -> Any:
        """Segmentation that holds the segments; None once it was deleted."""
        return self._segmentation.node

    @property
    def volume_node(self) -> Any:
        """Volume that was segmented; None once it was deleted."""
        return self._volume.node

    @property
    def rows(self) -> tuple[ResultRow, ...]:
        """Current rows, one per structure: oldest run first, and in the requested order within a run.

        Structures that a run of another session did not find left no segment, and so have no row.
        """
        runs: dict[str, list[Made]] = {asked.run_id: [] for asked in self._asked}
        for each in sorted(self._made().values(), key=lambda each: each.record.date):
            runs.setdefault(each.record.run_id, []).append(each)
        return tuple(
            row
            for run_id, segments in runs.items()
            for row in rows_of(run_id, segments, tuple(self._asked), self._verdict)
        )

    def row(self, key: str) -> ResultRow:
        """Return the row with a key.

        Raises:
            KeyError: There is no such row (any more).
        """
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)

    def watch_own(self, segment_id: str) -> None:
        """Look for strokes in a segment of the user's own, too, so that they can be undone here."""
        self._own.add(segment_id)

    def look(self) -> bool:
        """Check which segments were edited; never blocks.

        Returns:
            Whether the check is still going on: call again a moment later.
        """
        more = self.history.watch.look(self._suspects())
        self.history.take_strokes()
        return more

    def settle(self) -> None:
        """Check which segments were edited, and wait for the verdicts; for scripts."""
        self.history.watch.settle(self._suspects())
        self.history.take_strokes()

    def begin(self, run_id: str, structures: Sequence[str], modality: str, target: Target) -> None:
        """Register the structures that a run looks for; each gets a row at once."""
        self._targets.setdefault(run_id, target)
        for structure in structures:
            self._asked.add(Asked(run_id, structure, modality))

    def take(
        self,
        run_id: str,
        structure: str,
        statistics: MaskStatistics,
        segment_id: str | None,
        warnings: tuple[str, ...],
        mask: PackedMask | None,
        step: Step,
    ) -> None:
        """Register what a run found for a structure.

        Args:
            run_id: Identifier of the run.
            structure: Prompt of the structure.
            statistics: Measurements of the mask.
            segment_id: Identifier of the segment; None if the mask was empty.
            warnings: Sentences for the user.
            mask: Voxels of the segment, in the space of the segmentation; None if the mask was empty.
            step: Step that undoes the run.
        """
        asked = self._asked.find(run_id, structure)
        assert asked is not None
        asked.statistics, asked.segment_id, asked.warnings = statistics, segment_id, warnings
        if segment_id is not None:
            segment = self.segmentation_node.GetSegmentation().GetSegment(segment_id)
            self.history.watch.remember(segment_id, segment, mask)
            step.note(segment_id, None, SegmentState.of(segment, mask))
            self.history.add(step)
        self.history.editor.leave(self.segmentation_node)

    def save_for_editor(self) -> None:
        """Save an undo state in the Segment Editor; call this before segments are added."""
        self.history.editor.save(self.segmentation_node)

    def accept(self, row: ResultRow) -> None:
        """Mark the segment of a row as completed; ``undo`` keeps it from now on."""
        made = self._made_of(row, self._made())
        if made is not None:
            set_status(made.segment, "Completed")

    def take_acceptance_back(self, row: ResultRow) -> None:
        """Mark the segment of a row as in progress again, so that it may be changed."""
        made = self._made_of(row, self._made())
        if made is not None:
            set_status(made.segment, "InProgress")

    def delete(self, row: ResultRow) -> None:
        """Remove the segment of a row, whether or not it was edited."""
        self.settle()
        finish(self._remove([row], Step("delete")))

    def change(
        self,
        row: ResultRow,
        statistics: MaskStatistics | None,
        mask: PackedMask,
        tags: Mapping[str, str],
        step: Step,
    ) -> None:
        """Give the segment of a row other voxels of the model's; nothing happens if it is the user's own.

        Args:
            row: Row of the segment.
            statistics: Measurements of the new mask; None to keep those that are registered.
            mask: New voxels, in the space of the segmentation.
            tags: Tags that record how they were made, see ``SegmentRecord``.
            step: Step that undoes the change.
        """
        self.settle()
        made = self._made_of(row, self._made())
        if made is None or is_users_own(self.row(row.key)):
            return
        node, segment_id, segment = self.segmentation_node, made.segment_id, made.segment
        before = self.history.state_of(segment_id)
        stored = StoredMasks(node)
        stored.keep(Kind.RESULT, mask.content, mask)
        if before is not None and tags.get("tidied"):
            stored.keep(Kind.RAW, mask.content, before.mask)
        self.history.editor.save(node)
        write_mask(node, segment_id, mask)
        mark_anew(node, segment, {**tags, "segment": segment_id, "date": made.record.date})
        self.history.watch.remember(segment_id, segment, mask)
        step.note(segment_id, before, SegmentState.of(segment, mask))
        self.history.add(step)
        asked = self._asked.find(row.run_id, row.structure)
        if asked is not None and statistics is not None:
            asked.statistics = statistics
        self.history.editor.leave(node)

    def bring_back_raw(self, row: ResultRow) -> None:
        """Give a tidied segment the voxels again that the model had found; can be undone."""
        made = self._made_of(row, self._made())
        node = self.segmentation_node
        raw = StoredMasks(node).find(Kind.RAW, made.record.content) if made is not None else None
        if made is None or raw is None:
            return
        tags = untidied_tags(tags_of(made.segment), raw.content, raw.volume_ml)
        self.change(row, None, raw, tags, Step("raw"))

    def make_way(self, row: ResultRow, step: Step) -> None:
        """Make way for a new result for the structure of a row.

        The row's segment is removed, unless it was edited or accepted: then it is kept beside the new one.

        Args:
            row: Row of the structure.
            step: Step that undoes the run that makes the new result.
        """
        self.settle()
        if not is_users_own(self.row(row.key)):
            finish(self._remove([row], step))

    def undo(self, run_id: str = "", *, edited_too: bool = False) -> tuple[str, ...]:
        """Remove the segments of a run, after checking which of them were edited.

        Args:
            run_id: Identifier of the run; empty for the last run that has something to undo.
            edited_too: Whether to also remove segments that were edited or accepted since.

        Returns:
            Names of the segments that were kept because they were edited or accepted.
        """
        self.settle()
        kept: tuple[str, ...] = finish(self.undo_in_steps(run_id, edited_too=edited_too))
        return kept

    def undo_in_steps(
        self, run_id: str = "", *, edited_too: bool = False
    ) -> Generator[None, None, tuple[str, ...]]:
        """Undo like ``undo``, in steps of a few hundredths of a second; call ``look`` first."""
        rows = [row for row in self.rows if row.segment_id is not None]
        own = [row for row in rows if not edited_too and is_users_own(row)]
        if not run_id:
            candidates = [row.run_id for row in rows if row not in own] or [row.run_id for row in self.rows]
            run_id = candidates[-1] if candidates else ""
        until = time.monotonic() + _STEP_S
        for _removed in self._remove([row for row in rows if row.run_id == run_id and row not in own]):
            if time.monotonic() > until:
                yield
                until = time.monotonic() + _STEP_S
        self.history.drop_run(run_id)
        self.take_back(run_id)
        return tuple(row.name for row in own if row.run_id == run_id)

    def take_back(self, run_id: str) -> None:
        """Restore the segmentation as it was before a run, if no segment is left in it."""
        if run_id in self._targets:
            self._targets[run_id].take_back()

    def _take_up(self) -> None:
        """Register the segments of earlier runs; the newest one if a run has several for a structure."""
        for each in sorted(self._made().values(), key=lambda each: each.record.date):
            record = each.record
            self._asked.add(
                Asked(
                    record.run_id, record.structure, record.modality, None, each.segment_id, record.warnings
                )
            )

    def _made(self) -> dict[str, Made]:
        """Return the segments that runs have made, keyed by segment identifier."""
        return made_in(self.segmentation_node)

    def _made_of(self, row: ResultRow, made: dict[str, Made]) -> Made | None:
        """Return the segment of a row; None if it is gone or now belongs to another run."""
        found = made.get(row.segment_id or "")
        return found if found is not None and found.record.run_id == row.run_id else None

    def _suspects(self) -> list[Suspect]:
        node = self.segmentation_node
        return [] if node is None else suspects_of(node, self._made(), self._own)

    def _verdict(self, made: Made) -> Verdict | None:
        return self.history.watch.verdict(made.segment_id, made.segment)

    def _remove(self, rows: Sequence[ResultRow], step: Step | None = None) -> Generator[None, None, None]:
        """Remove the segments of rows, one per iteration, as a part of a step that can be undone."""
        all_made = self._made()
        chosen = [made for row in rows if (made := self._made_of(row, all_made)) is not None]
        return remove_made(self._segmentation, chosen, self.history, self._verdict, step)
