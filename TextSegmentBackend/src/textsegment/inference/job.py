"""A request while the local engine works on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from textsegment.inference.progress import Reporter
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.segmentation import StructureMask
from textsegment.segmenter import CancelToken, EventCallback


@dataclass(eq=False)
class LocalJob:
    """A request while the local engine works on it.

    Attributes:
        request: The volume and the prompts asked of it.
        orientation: Axes of the canonical image.
        reporter: Reporter of progress.
        on_event: Callback that is told of each finished mask.
        cancel: Token that cancels the job.
        masks: Finished masks, keyed by prompt.
        warnings: Warnings from the preparation of the canonical image, and from its landmarks.
        midline_mm: R coordinate of the midline of the body, in millimetres; None if it was not looked for.
    """

    request: Request
    orientation: str
    reporter: Reporter
    on_event: EventCallback
    cancel: CancelToken
    masks: dict[Prompt, StructureMask] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    midline_mm: float | None = None

    @property
    def missing(self) -> list[Prompt]:
        """Prompts that do not have a mask yet."""
        return [prompt for prompt in self.request.prompts if prompt not in self.masks]
