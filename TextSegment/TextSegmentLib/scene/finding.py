"""What a run does in its worker: no node is touched here, and the GUI waits for nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Segmenter

from TextSegmentLib.background import Report
from TextSegmentLib.scene.segments import Content, labelmap_of
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


def find(
    source: VolumeSource, segmenter: Segmenter, structures: Sequence[str], report: Report, cancel: CancelToken
) -> Segmentation:
    """Find structures.

    Args:
        source: The voxels.
        segmenter: What finds them.
        structures: Prompts.
        report: Gets ``ModelInfo``, ``VoxelsCopied``, ``Queued``, ``Progress`` and ``FoundMask``.
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
            report(FoundMask(event.mask))
        else:
            report(FoundMask(event.mask, *labelmap_of(event.mask, source)))

    return segmenter.segment(volume, structures, on_event=on_event, cancel=cancel)
