"""Rows of results, made of the segments themselves and of what runs have asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from textsegment.doubt import NO_DOUBT

from TextSegmentLib.history.stored_masks import Kind, StoredMasks
from TextSegmentLib.scene.results.asked import Asked
from TextSegmentLib.scene.results.edits import Suspect, Verdict
from TextSegmentLib.scene.results.rows import ResultRow, RowState, state_of
from TextSegmentLib.scene.segment.record import SegmentRecord
from TextSegmentLib.scene.segment.segments import is_completed, segments_of
from TextSegmentLib.scene.segment.terminology import look_of


@dataclass(frozen=True, eq=False)
class Made:
    """Segment that a run has made, with its record."""

    segment_id: str
    segment: Any
    record: SegmentRecord


def made_in(segmentation_node: Any) -> dict[str, Made]:
    """Return the segments of a node that runs have made, keyed by identifier; none if the node is None."""
    made = {}
    for segment_id, segment in segments_of(segmentation_node):
        record = SegmentRecord.of(segment, segment_id)
        if record is not None:
            made[segment_id] = Made(segment_id, segment, record)
    return made


def suspects_of(segmentation_node: Any, made: Mapping[str, Made], own: Collection[str]) -> list[Suspect]:
    """Return the segments that are watched for edits.

    Args:
        segmentation_node: Segmentation that holds them.
        made: Segments that runs have made.
        own: Identifiers of segments of the user's own that are watched, too.
    """
    stored = StoredMasks(segmentation_node)

    def suspect(each: Made) -> Suspect:
        content = each.record.content
        return Suspect(each.segment_id, each.segment, content, lambda: stored.find(Kind.RESULT, content))

    drawn = [
        Suspect(segment_id, segment, None)
        for segment_id, segment in segments_of(segmentation_node)
        if segment_id in own and segment_id not in made
    ]
    return [*map(suspect, made.values()), *drawn]


def rows_of(
    run_id: str,
    segments: Sequence[Made],
    asked: Sequence[Asked],
    verdict_of: Callable[[Made], Verdict | None],
) -> Iterator[ResultRow]:
    """Yield the rows of a run, in the order in which its structures were asked for.

    Args:
        run_id: Identifier of the run.
        segments: Segments that it has made.
        asked: Structures that runs have asked for.
        verdict_of: Returns whether a segment was edited; None if that is not known yet.
    """
    left = {each.segment_id: each for each in segments}
    rows = []
    for one in asked:
        if one.run_id == run_id:
            key = f"{run_id} {one.structure}"
            there = left.pop(one.segment_id or "", None)
            rows.append(
                _row_without_segment(one, key) if there is None else _row_of(there, key, verdict_of(there))
            )
    # Segments kept beside a newer one, or restored by the user.
    others = [_row_of(each, f"{run_id} #{each.segment_id}", verdict_of(each)) for each in left.values()]
    order = [row.structure for row in rows]
    return iter(sorted(others + rows, key=lambda row: _place(row.structure, order)))


def is_users_own(row: ResultRow) -> bool:
    """Return whether the segment of a row was edited, corrected or accepted by the user."""
    is_changed = row.state in (RowState.EDITED, RowState.CORRECTED)
    return row.segment_id is not None and (row.accepted or is_changed)


def _row_of(made: Made, key: str, verdict: Verdict | None) -> ResultRow:
    segment, record = made.segment, made.record
    row = ResultRow(
        key=key,
        run_id=record.run_id,
        structure=record.structure,
        modality=record.modality,
        name=segment.GetName(),
        color=segment.GetColor(),
        state=record.state,
        segment_id=made.segment_id,
        volume_ml=record.volume_ml,
        confidence=None if math.isnan(record.confidence) else record.confidence,
        warnings=record.warnings,
        accepted=is_completed(segment),
        model=record.model,
        doubt=NO_DOUBT if is_completed(segment) else record.doubt,
        tidied=record.tidied,
        tidied_ml=record.tidied_ml,
    )
    if verdict is None or not verdict.is_edited:
        return row
    return replace(
        row,
        state=RowState.EDITED,
        volume_ml=verdict.volume_ml,
        confidence=None,
        edited_slices=verdict.changes,
        doubt=NO_DOUBT,
        tidied="",
    )


def _place(structure: str, order: Sequence[str]) -> int:
    return order.index(structure) if structure in order else len(order)


def _row_without_segment(asked: Asked, key: str) -> ResultRow:
    state = RowState.WAITING if asked.statistics is None else state_of(asked.statistics)
    if asked.segment_id is not None:
        state = RowState.REMOVED
    has_figures = asked.statistics is not None and not asked.statistics.is_empty
    return ResultRow(
        key=key,
        run_id=asked.run_id,
        structure=asked.structure,
        modality=asked.modality,
        name=asked.structure,
        color=look_of(asked.structure).color,
        state=state,
        volume_ml=asked.statistics.volume_ml if has_figures and asked.statistics else None,
        confidence=asked.statistics.mean_confidence if has_figures and asked.statistics else None,
        warnings=asked.warnings,
    )
