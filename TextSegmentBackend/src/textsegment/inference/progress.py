"""Progress of a job, which never decreases, even if the plan changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from textsegment.model.sat import SAT
from textsegment.model.unet import ConvBlock
from textsegment.segmenter import EventCallback, Progress

_LEAST_STEP = 0.002


class Reporter:
    """Reporter that turns completed work into ``Progress`` events."""

    def __init__(self, on_event: EventCallback) -> None:
        self._on_event = on_event
        self._fraction = 0.0
        self._scale = 0.0
        self._reported = (-1.0, "")

    def expect(self, work: float) -> None:
        """Announce the remaining work, in any unit; call again when the plan changes."""
        self._scale = (1.0 - self._fraction) / work if work > 0 else 0.0

    def advance(self, work: float, stage: str) -> None:
        """Record completed work of a stage, and report it if the fraction or the stage has changed enough."""
        self._fraction = min(self._fraction + work * self._scale, 1.0)
        last, last_stage = self._reported
        if stage != last_stage or self._fraction >= last + _LEAST_STEP:
            self._report(stage)

    def done(self) -> None:
        """Report that all work is complete."""
        self._fraction = 1.0
        self._report("finishing")

    def _report(self, stage: str) -> None:
        self._reported = (self._fraction, stage)
        self._on_event(Progress(self._fraction, stage))


@contextmanager
def watched(network: SAT, on_work: Callable[[float], None]) -> Iterator[None]:
    """Call a function after each convolution of the U-Net with its share of the work of a patch.

    A patch can take minutes on a CPU, so this is where a job reports progress and can be cancelled.
    """
    handles = [
        block.register_forward_hook(lambda *_, share=share: on_work(share))
        for block, share in _shares(network)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _shares(network: SAT) -> list[tuple[ConvBlock, float]]:
    encoder, decoder = network.backbone.encoder.stages, network.backbone.decoder.stages
    levels: list[tuple[int, nn.Module]] = list(enumerate(encoder))
    levels += [(len(decoder) - 1 - n, stage) for n, stage in enumerate(decoder)]
    costs: list[tuple[ConvBlock, Any]] = [
        (block, block.conv.weight.numel() / 8**level)  # multiplications, up to the size of the patch
        for level, stage in levels
        for block in stage.modules()
        if isinstance(block, ConvBlock)
    ]
    total = sum(cost for _, cost in costs)
    return [(block, cost / total) for block, cost in costs]
