"""Puts a corrected mask in the place of a segment, as a step that can be undone."""

from __future__ import annotations

import uuid
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import EditError
from textsegment.segmenter import ModelInfo

from TextSegmentLib.correction.correcting import CorrectedMask
from TextSegmentLib.correction.edited_segment import EditedSegment
from TextSegmentLib.history.history import History, Step
from TextSegmentLib.history.segment_state import SegmentState, write_mask
from TextSegmentLib.history.stored_masks import Kind, StoredMasks
from TextSegmentLib.scene.alignment import volume_to_segmentation
from TextSegmentLib.scene.results.rows import RowState
from TextSegmentLib.scene.segment.record import mark_anew, tags_for
from TextSegmentLib.scene.segment.segments import is_completed


def take_over(
    history: History,
    volume_node: Any,
    edited: EditedSegment,
    outcome: CorrectedMask,
    model: ModelInfo,
    modality: str,
) -> None:
    """Give a segment its corrected mask; no other segment changes.

    Args:
        history: History of the segmentation.
        volume_node: Volume that was segmented.
        edited: Segment as it was when the correction began.
        outcome: Corrected mask.
        model: Model behind the segmenter.
        modality: DICOM modality code of the image.

    Raises:
        EditError: The segment was removed, accepted or drawn in meanwhile; it stays as it is.
        OutputError: Slicer refuses the voxels.
    """
    node, segment_id = history.segmentation_node, edited.segment_id
    segment = node.GetSegmentation().GetSegment(segment_id) if node is not None else None
    if segment is None:
        raise EditError(_("The segment was removed."), _("Choose another one."))
    if is_completed(segment):
        raise EditError(_("{name} was accepted, so nothing changes it.").format(name=segment.GetName()))
    if edited.is_changed(segment):
        raise EditError(
            _("{name} was drawn in since this correction was computed.").format(name=segment.GetName()),
            _("Apply the edits again, so that they count too."),
        )
    if outcome.packed is None:
        raise EditError(_("Nothing would be left of {name}.").format(name=segment.GetName()))
    matrix = volume_to_segmentation(volume_node, node)
    packed = outcome.packed.moved(matrix)
    before, drawn = (None if mask is None else mask.moved(matrix) for mask in (outcome.before, outcome.drawn))
    as_drawn = SegmentState.of(segment, before)
    stored = StoredMasks(node)
    stored.keep(Kind.RESULT, packed.content, packed)
    stored.keep(Kind.DRAWN, packed.content, drawn)
    history.editor.save_always(node)
    write_mask(node, segment_id, packed)
    record = edited.record
    run_id = record.run_id if record is not None else uuid.uuid4().hex
    tags = tags_for(outcome.mask, model, packed.content, run_id=run_id, modality=modality)
    tags |= {"state": RowState.CORRECTED, "segment": segment_id}
    if record is not None:
        tags["date"] = record.date  # the row stays where it is
    mark_anew(node, segment, tags)
    history.watch.remember(segment_id, segment, packed)
    step = Step("correction")
    step.note(segment_id, as_drawn, SegmentState.of(segment, packed))
    history.add(step)
    history.editor.leave(node)
