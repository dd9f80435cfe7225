"""What a run does in its worker: no node is touched here, and the GUI waits for nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, MaskReady, ModelInfo, Segmenter
from textsegment.vocabulary.selection import Selection

from TextSegmentLib.background import Report
from TextSegmentLib.scene.content import Content
from TextSegmentLib.scene.segments import labelmap_of
from TextSegmentLib.scene.volume_node import VolumeSource


@dataclass(frozen=True)
class VoxelsCopied:
    """The memory of the volume node is needed no more."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask, with the label map that was made of it; none if it is empty."""

    mask: StructureMask
    labelmap: Any = None
    content: Content | None = None


@dataclass(frozen=True)
class Request:
    """What a run looks for.

    Attributes:
        modality: DICOM code.
        choose: Says, in the worker, which structures, once it is known what the model has.
        effort: How much of the volume is computed.
    """

    modality: str
    choose: Callable[[ModelInfo], Selection]
    effort: Effort = WHOLE_IMAGE


def find(
    source: VolumeSource, segmenter: Segmenter, request: Request, report: Report, cancel: CancelToken
) -> Segmentation:
    """Find structures.

    Args:
        source: The voxels.
        segmenter: What finds them.
        request: Which ones.
        report: Gets ``ModelInfo``, ``Selection``, ``VoxelsCopied``, ``Queued``, ``Progress`` and
            ``FoundMask``.
        cancel: Asks to stop.

    Raises:
        TextSegmentError: Any failure, typed.
    """
    model = segmenter.info()
    report(model)
    selection = request.choose(model)
    report(selection)
    volume = source.to_volume(request.modality)
    report(VoxelsCopied())

    def on_event(event: Any) -> None:
        if not isinstance(event, MaskReady):
            report(event)
        elif event.mask.statistics.is_empty:
            report(FoundMask(event.mask))
        else:
            report(FoundMask(event.mask, *labelmap_of(event.mask, source)))

    return segmenter.segment(
        volume, selection.structures, effort=request.effort, on_event=on_event, cancel=cancel
    )
