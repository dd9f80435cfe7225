"""What a run does in its worker: no node is touched here, and the GUI waits for nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Segmenter

from TextSegmentLib.job import Report
from TextSegmentLib.mrml import VolumeSource
from TextSegmentLib.segments import Content, labelmap_of


@dataclass(frozen=True)
class VoxelsCopied:
    """The memory of the volume node is needed no more."""


@dataclass(frozen=True, eq=False)
class Found:
    """A mask, with the label map that was made of it; none if it is empty."""

    mask: StructureMask
    labelmap: Any = None
    content: Content | None = None


def find(
    source: VolumeSource, segmenter: Segmenter, structures: Sequence[str], report: Report, cancel: CancelToken
) -> Segmentation:
    """Find structures.

    Args:
        source: The voxels.
        segmenter: What finds them.
        structures: Prompts.
        report: Gets ``ModelInfo``, ``VoxelsCopied``, ``Queued``, ``Progress`` and ``Found``.
        cancel: Asks to stop.

    Raises:
        TextSegmentError: Any failure, typed.
    """
    report(segmenter.info())
    volume = source.to_volume()
    report(VoxelsCopied())

    def on_event(event: Any) -> None:
        if not isinstance(event, MaskReady):
            report(event)
        elif event.mask.statistics.is_empty:
            report(Found(event.mask))
        else:
            report(Found(event.mask, *labelmap_of(event.mask, source)))

    return segmenter.segment(volume, structures, on_event=on_event, cancel=cancel)
