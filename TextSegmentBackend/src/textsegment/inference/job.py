"""One request on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from textsegment.inference.progress import Reporter
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.segmentation import StructureMask
from textsegment.segmenter import CancelToken, EventCallback


@dataclass(eq=False)
class LocalJob:
    """One request on its way.

    Attributes:
        request: What is asked.
        orientation: Axes of the canonical image.
        reporter: Of progress.
        on_event: Told of each mask.
        cancel: Stops it.
        masks: What is final.
        warnings: Of the canonical image.
    """

    request: Request
    orientation: str
    reporter: Reporter
    on_event: EventCallback
    cancel: CancelToken
    masks: dict[Prompt, StructureMask] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> list[Prompt]:
        """Prompts without a mask yet."""
        return [prompt for prompt in self.request.prompts if prompt not in self.masks]
