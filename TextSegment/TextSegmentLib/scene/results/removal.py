"""Removal of segments that runs have made, so that it can be undone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from TextSegmentLib.history.history import History, Step
from TextSegmentLib.scene.results.edits import Verdict
from TextSegmentLib.scene.results.result_rows import Made
from TextSegmentLib.scene.segment.content import Content
from TextSegmentLib.scene.segment.segments import remove_segments
from TextSegmentLib.scene.weak_node import WeakNode


def finish(steps: Generator[None, None, Any]) -> Any:
    """Carry out all steps at once, and return what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def remove_made(
    segmentation: WeakNode,
    chosen: Sequence[Made],
    history: History,
    verdict_of: Callable[[Made], Verdict | None],
    step: Step | None,
) -> Generator[None, None, None]:
    """Remove segments, one per iteration; ends early if the segmentation is deleted meanwhile.

    Args:
        segmentation: Segmentation that holds them.
        chosen: Segments to remove.
        history: History of the segmentation.
        verdict_of: Returns whether a segment was edited; None if that is not known.
        step: Step that brings them back; None if nothing is to do so.
    """
    contents: dict[str, Content | None] = {}
    for made in chosen:
        if step is not None:
            step.note(made.segment_id, history.state_of(made.segment_id), None)
            history.add(step)
        verdict = verdict_of(made)
        is_as_made = verdict is not None and not verdict.is_edited
        contents[made.segment_id] = made.record.content if is_as_made else None
    if not contents:
        return
    history.editor.save_always(segmentation.node)
    for _removed in remove_segments(segmentation.node, contents):
        yield
        if segmentation.node is None:
            return
    history.editor.leave(segmentation.node)
