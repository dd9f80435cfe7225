"""The part of a run that executes in its worker: it touches no node, and the GUI never waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textsegment.derive.tidy import is_tidy_by_default
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, MaskReady, ModelInfo, Segmenter
from textsegment.vocabulary.selection import Selection

from TextSegmentLib.background import Report
from TextSegmentLib.history.packed_mask import PackedMask
from TextSegmentLib.scene.segment.segments import labelmap_of
from TextSegmentLib.scene.volume_node import VolumeSource


@dataclass(frozen=True)
class VoxelsCopied:
    """Report that the voxels were copied: the memory of the volume node is no longer needed."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """Mask with the label map made from it, and in packed form; both None if the mask is empty."""

    mask: StructureMask
    labelmap: Any = None
    packed: PackedMask | None = None


@dataclass(frozen=True, eq=False)
class TidiedMask(FoundMask):
    """Mask that was tidied, after it was found; all of them come at the end."""


@dataclass(frozen=True)
class Request:
    """What a run looks for.

    Attributes:
        modality: DICOM modality code of the image.
        choose: Function that selects the structures, called in the worker once the model is known.
        effort: How much of the volume is computed.
        tidy: Whether the masks are tidied; None for what is usual for the model.
    """

    modality: str
    choose: Callable[[ModelInfo], Selection]
    effort: Effort = WHOLE_IMAGE
    tidy: bool | None = None


def find(
    source: VolumeSource, segmenter: Segmenter, request: Request, report: Report, cancel: CancelToken
) -> Segmentation:
    """Find structures in a volume, reporting each as it is found.

    Args:
        source: Voxels and geometry of the volume.
        segmenter: Segmenter that finds the structures.
        request: Modality, and the choice of structures.
        report: Callback that gets ``ModelInfo``, ``Selection``, ``VoxelsCopied``, ``Queued``, ``Estimated``,
            ``Progress``, ``FoundMask`` and ``TidiedMask``.
        cancel: Token that asks to stop.

    Returns:
        All masks, on the grid of the volume.

    Raises:
        TextSegmentError: The model, the volume or the segmentation failed.
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

    options: dict[str, Any] = {"effort": request.effort, "on_event": on_event, "cancel": cancel}
    if not (is_tidy_by_default(model) if request.tidy is None else request.tidy):
        return segmenter.segment(volume, selection.structures, **options)
    found = segment_tidily(segmenter, volume, selection.structures, **options)
    for mask in found.tidy:
        if mask.origin.tidied and not mask.statistics.is_empty:
            report(TidiedMask(mask, *labelmap_of(mask, source)))
    return found.tidy
