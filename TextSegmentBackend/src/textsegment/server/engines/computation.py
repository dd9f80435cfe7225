"""Computes a stored request with a segmenter, in a worker process or a replica."""

from __future__ import annotations

from collections.abc import Sequence

from textsegment.derive.tidy_segment import segment_tidily
from textsegment.effort import Effort
from textsegment.prompt import Prompt
from textsegment.segmenter import CancelToken, Event, EventCallback, MaskReady, Segmenter
from textsegment.volume import Volume
from textsegment.wire.correction_codec import decode_correction
from textsegment.wire.frames import Done
from textsegment.wire.limits import Limits

NO_LIMITS = Limits(max_volume_bytes=2**48, max_voxels=2**48)
"""Limits of a process to which the server passes only what it has checked."""


def compute(
    segmenter: Segmenter,
    volume: Volume,
    prompts: Sequence[Prompt],
    effort: Effort,
    correction: bytes,
    tidy: bool,
    on_event: EventCallback,
    cancel: CancelToken,
) -> Done:
    """Segment the prompts, or correct a mask; the masks are events.

    Args:
        segmenter: Segmenter that computes.
        volume: Volume of the request.
        prompts: Prompts, each once.
        effort: How much of the volume to compute.
        correction: Body of ``POST /v1/correct``; empty if prompts are to be segmented.
        tidy: Whether the masks are tidied by rules of anatomy; then they come once all of them are found.
        on_event: Callback for events.
        cancel: Token that cancels the job.
    """
    if not correction and tidy:
        raw_on_event = _without_masks(on_event)
        tidied = segment_tidily(
            segmenter, volume, prompts, effort=effort, on_event=raw_on_event, cancel=cancel
        ).tidy
        for mask in tidied:
            on_event(MaskReady(mask))
        return Done(tidied.provenance, tidied.warnings)
    if not correction:
        result = segmenter.segment(volume, prompts, effort=effort, on_event=on_event, cancel=cancel)
        return Done(result.provenance, result.warnings)
    asked = decode_correction(correction, volume, NO_LIMITS)
    segmenter.correct(
        volume,
        edits=asked.edits,
        base=asked.base,
        prompt=asked.prompt,
        name=asked.name,
        within=asked.within,
        on_event=on_event,
        cancel=cancel,
    )
    info = segmenter.info()
    return Done({"model": info.model, "weights_sha256": info.weights_sha256, "device": info.device})


def _without_masks(on_event: EventCallback) -> EventCallback:
    """Return a callback that leaves out masks as the model made them."""

    def on_other_event(event: Event) -> None:
        if not isinstance(event, MaskReady):
            on_event(event)

    return on_other_event
