"""A run that looks for one structure again."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from textsegment.errors import CancelledError
from textsegment.segmenter import Segmenter
from textsegment.vocabulary.selection import Selection

from TextSegmentLib.history.history import Step
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow
from TextSegmentLib.scene.run.finding import Request
from TextSegmentLib.scene.run.run import Run
from TextSegmentLib.scene.run.target import Target
from TextSegmentLib.scene.volume_node import read_volume_node


def begin_again(
    results: Results,
    row: ResultRow,
    segmenter: Segmenter,
    *,
    tidy: bool | None = None,
    on_event: Callable[[Run], None] = lambda run: None,
) -> Run:
    """Begin to look for the structure of a row again, as ``TextSegmentLogic.redo`` says.

    Raises:
        TextSegmentError: The volume or the segmentation was deleted, or cannot be used any more.
    """
    volume_node, segmentation_node = results.volume_node, results.segmentation_node
    if volume_node is None:
        raise CancelledError(_("The volume was deleted."), _("What was found before stays."))
    if segmentation_node is None:
        raise CancelledError(_("The segmentation was deleted."), _("Choose another one and start again."))
    # These may fail, so they come first: no segment is removed for a run that cannot begin.
    source = read_volume_node(volume_node)
    target = Target.prepare(volume_node, segmentation_node)
    step = Step("run", row.run_id)
    results.make_way(row, step)
    names = (row.structure,)
    request = Request(row.modality, lambda model: Selection(names), tidy=tidy)
    return Run(
        source,
        target,
        results,
        request,
        names,
        segmenter,
        run_id=row.run_id,
        step=step,
        on_event=on_event,
    )
