"""Undo and redo of everything that changes the segments of one segmentation: runs, strokes, corrections.

Strokes are found by comparing voxels, whichever editor drew them. Each step knows the segments before and
after it, so that undoing it touches no other segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from TextSegmentLib.history.segment_state import SegmentState
from TextSegmentLib.scene.results.editor_history import EditorHistory
from TextSegmentLib.scene.results.edits import EditWatch, Stroke
from TextSegmentLib.scene.segment.segments import is_completed
from TextSegmentLib.scene.weak_node import WeakNode

_MOST_STEPS = 100


@dataclass(eq=False)
class Step:
    """One change that can be undone.

    Attributes:
        name: What was done, as a key for the user's words: ``run``, ``stroke``, ``correction``,
            ``delete``, ``raw``, ``new``.
        run_id: Identifier of the run, for ``run``; else empty.
        before: Segments before the step, by identifier; None for one that was not there.
        after: Segments after it.
    """

    name: str
    run_id: str = ""
    before: dict[str, SegmentState | None] = field(default_factory=dict)
    after: dict[str, SegmentState | None] = field(default_factory=dict)

    def note(self, segment_id: str, before: SegmentState | None, after: SegmentState | None) -> None:
        """Add the change of one segment; of several changes, the first state before them counts."""
        self.before.setdefault(segment_id, before)
        self.after[segment_id] = after


class History:
    """Steps that changed the segments of one segmentation; create it with ``history_of``.

    Args:
        segmentation_node: Segmentation that holds the segments.

    Attributes:
        watch: Watch that finds the user's strokes.
        editor: Undo states of Slicer's own Segment Editor.
    """

    def __init__(self, segmentation_node: Any) -> None:
        self._node = WeakNode(segmentation_node)
        self._steps: list[Step] = []
        self._undone: list[Step] = []
        self.watch = EditWatch()
        self.editor = EditorHistory()

    @property
    def segmentation_node(self) -> Any:
        """Segmentation that holds the segments; None once it was deleted."""
        return self._node.node

    @property
    def last(self) -> Step | None:
        """Step that ``undo`` would take back."""
        return self._steps[-1] if self._steps else None

    @property
    def following(self) -> Step | None:
        """Step that ``redo`` would do again."""
        return self._undone[-1] if self._undone else None

    def state_of(self, segment_id: str) -> SegmentState | None:
        """Return the state of a segment as last seen; None if it is not there.

        Its voxels are those of the last look of ``watch``: settle it first.
        """
        segment = self._segment(segment_id)
        if segment is None:
            return None
        verdict = self.watch.verdict(segment_id, segment)
        return SegmentState.of(segment, verdict.mask if verdict is not None else None)

    def begin(self, name: str, run_id: str = "") -> Step:
        """Begin a step, and forget what was undone before it."""
        step = Step(name, run_id)
        self.add(step)
        return step

    def add(self, step: Step) -> None:
        """Add a step, unless it was added before, and forget what was undone before it."""
        if step not in self._steps:
            self._undone.clear()
            self._steps.append(step)
            del self._steps[:-_MOST_STEPS]

    def drop_run(self, run_id: str) -> None:
        """Forget the steps of a run that was taken back by other means."""
        self._steps = [step for step in self._steps if step.run_id != run_id]

    def take_strokes(self) -> None:
        """Make steps of the strokes that ``watch`` has found."""
        for stroke in self.watch.take_strokes():
            segment = self._segment(stroke.segment_id)
            if segment is not None:
                self._note_stroke(stroke, segment)

    def undo(self) -> Iterator[str]:
        """Take back the last step, one segment an iteration.

        Segments that were accepted since, or that are not as the step left them, are kept.

        Yields:
            Name of a segment that was kept; empty for one that was taken back.
        """
        if not self._steps:
            return
        step = self._steps.pop()
        yield from self._change(step.after, step.before)
        self._undone.append(step)

    def redo(self) -> Iterator[str]:
        """Do again what was undone last; see ``undo``."""
        if not self._undone:
            return
        step = self._undone.pop()
        yield from self._change(step.before, step.after)
        self._steps.append(step)

    def _note_stroke(self, stroke: Stroke, segment: Any) -> None:
        now = SegmentState.of(segment, stroke.after)
        self.begin("stroke").note(stroke.segment_id, replace(now, mask=stroke.before), now)

    def _change(
        self, present: Mapping[str, SegmentState | None], wanted: Mapping[str, SegmentState | None]
    ) -> Iterator[str]:
        node = self.segmentation_node
        if node is None:
            return
        self.editor.save_always(node)
        # All at once: to change one segment may touch an image that others share.
        found = {segment_id: self.state_of(segment_id) for segment_id in wanted}
        for segment_id, state in wanted.items():
            yield self._change_segment(node, segment_id, found[segment_id], present[segment_id], state)
            if self.segmentation_node is None:
                return
        self.editor.leave(node)

    def _change_segment(
        self,
        node: Any,
        segment_id: str,
        found: SegmentState | None,
        present: SegmentState | None,
        wanted: SegmentState | None,
    ) -> str:
        segment = self._segment(segment_id)
        if segment is None or found is None:
            if present is not None or wanted is None:
                return ""  # somebody else has removed it
        elif is_completed(segment) or present is None or not found.has_voxels_of(present):
            return str(segment.GetName())
        if wanted is None:
            node.GetSegmentation().RemoveSegment(segment_id)
        else:
            wanted.restore(node, segment_id)
            self.watch.expect(segment_id, wanted.mask)
        return ""

    def _segment(self, segment_id: str) -> Any:
        node = self.segmentation_node
        return None if node is None else node.GetSegmentation().GetSegment(segment_id)


_histories: list[History] = []


def history_of(segmentation_node: Any) -> History:
    """Return the history of a segmentation, which lives as long as the node."""
    _histories[:] = [each for each in _histories if each.segmentation_node is not None]
    for each in _histories:
        if each.segmentation_node is segmentation_node:
            return each
    _histories.append(History(segmentation_node))
    return _histories[-1]
