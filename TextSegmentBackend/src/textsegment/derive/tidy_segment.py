"""Segmenting and tidying in one call, with the masks as the model made them kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from textsegment.derive.tidy import companions, tidy
from textsegment.derive.tidy_rule import TidyRule
from textsegment.doubt import counted_anew
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.prompt import Prompt, unique_prompts
from textsegment.segmentation import Segmentation
from textsegment.segmenter import CancelToken, Event, EventCallback, MaskReady, Segmenter, ignore_events
from textsegment.volume import Volume


class TidySegmentation(NamedTuple):
    """The masks of one request, before and after tidying.

    Attributes:
        raw: Masks as the model made them.
        tidy: The same masks tidied, in the same order.
    """

    raw: Segmentation
    tidy: Segmentation


def segment_tidily(
    segmenter: Segmenter,
    volume: Volume,
    prompts: Sequence[Prompt | str],
    *,
    rules: Mapping[str, TidyRule] | None = None,
    effort: Effort = WHOLE_IMAGE,
    on_event: EventCallback = ignore_events,
    cancel: CancelToken | None = None,
) -> TidySegmentation:
    """Segment a volume and tidy the masks; parts of wholes are requested in addition, and left out again.

    Args:
        segmenter: Any engine; tidying happens here, so that all engines give the same result.
        volume: Scan to segment.
        prompts: Structures to segment, as for ``Segmenter.segment``.
        rules: Rules by structure, as for ``tidy``.
        effort: How much of the volume to process.
        on_event: Callback for progress, and for each mask as the model made it.
        cancel: Token that stops the job.

    Raises:
        TextSegmentError: Any failure of the segmenter.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> result = segment_tidily(FakeSegmenter(), phantom(), ["lung"])
        >>> [mask.structure for mask in result.raw], result.tidy.provenance["tidy"]
        (['lung'], True)
    """
    asked = tuple(prompt.text for prompt in unique_prompts(prompts))
    available = segmenter.info().structures.get(volume.modality, ())
    added = companions(asked, volume.modality, available)

    def on_own_event(event: Event) -> None:
        if not (isinstance(event, MaskReady) and event.mask.structure in added):
            on_event(event)

    found = segmenter.segment(volume, [*prompts, *added], effort=effort, on_event=on_own_event, cancel=cancel)
    tidied = tidy(found, modality=volume.modality, rules=rules, voxels=volume.voxels)
    return TidySegmentation(_only(found, asked), _only(tidied, asked))


def _only(segmentation: Segmentation, structures: Sequence[str]) -> Segmentation:
    kept = tuple(segmentation[structure] for structure in structures)
    return counted_anew(replace(segmentation, masks=kept))
