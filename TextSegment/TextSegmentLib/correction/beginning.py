"""The beginning of a correction: what the user has drawn is read from the scene."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from textsegment.errors import CancelledError
from textsegment.geometry import Box
from textsegment.modality import modality_code
from textsegment.segmenter import Segmenter

from TextSegmentLib.correction.correcting import CorrectionOrder
from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.correction.edited_segment import EditedSegment, Mark
from TextSegmentLib.scene.modality import guess_modality
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.volume_node import read_volume_node


def begin_correction(
    results: Results,
    segment_id: str,
    segmenter: Segmenter,
    modality: str,
    marks: tuple[Mark, ...],
    box: Box | None,
    *,
    anew: bool,
    on_event: Callable[[CorrectionRun], None],
) -> CorrectionRun:
    """Begin to carry what the user has drawn to the rest of a segment, as ``TextSegmentLogic.correct`` says.

    Raises:
        TextSegmentError: The nodes or the segment cannot be used, or the segment was accepted.
    """
    volume_node, segmentation_node = results.volume_node, results.segmentation_node
    if volume_node is None or segmentation_node is None:
        raise CancelledError(_("The volume or the segmentation was deleted."), _("Choose another one."))
    source = read_volume_node(volume_node)
    segment = EditedSegment.take(segmentation_node, volume_node, segment_id)
    if not modality:
        record = segment.record
        modality = record.modality if record is not None else guess_modality(volume_node).code
    order = CorrectionOrder(segment, modality_code(modality), marks, box, anew)
    return CorrectionRun(source, results, order, segmenter, on_event=on_event)
