"""The one protocol that all engines implement, local or remote."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import CancelledError, ModalityError, UnknownStructureError
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.availability import missing_from
from textsegment.vocabulary.structures import nearest_structures
from textsegment.volume import Volume


@dataclass(frozen=True)
class Queued:
    """The job waits; ``position`` jobs have to end before it begins."""

    position: int


@dataclass(frozen=True)
class Progress:
    """How far the job is.

    Attributes:
        fraction: 0 to 1, never falling.
        stage: What is being done: ``"preparing"``, ``"encoding"``, ``"decoding"``, ``"finishing"``; with a
            server also ``"uploading"`` and ``"waiting"``.
    """

    fraction: float
    stage: str


@dataclass(frozen=True)
class MaskReady:
    """One structure is final."""

    mask: StructureMask


@dataclass(frozen=True)
class Estimated:
    """What a job will take, known once the scan is prepared and before the network runs.

    Attributes:
        patches: Patches of the scan that the network has to see; those that are known already do not count.
        seconds: About how long that takes here; None if nobody knows yet.
        memory_bytes: About how much memory the engine takes at most.
    """

    patches: int
    seconds: float | None
    memory_bytes: int


Event = Queued | Estimated | Progress | MaskReady
EventCallback = Callable[[Event], None]


def ignore_events(event: Event) -> None:
    """Event callback that does nothing."""


class CancelToken:
    """Flag to stop a job from another thread; safe to set more than once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop at its next patch."""
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody asks the job to stop; return whether that happened in time."""
        return self._event.wait(timeout_s)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the job to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError if somebody asked the job to stop."""
        if self._event.is_set():
            raise CancelledError("The job was cancelled.")


@dataclass(frozen=True)
class ModelInfo:
    """What answers.

    Attributes:
        model: Name of the model, such as ``sat-nano``.
        weights_sha256: Digest of its weights; the same weights give the same masks.
        device: Where it computes: ``cpu``, ``cuda``, ``mps``.
        structures: The prompts that it can be asked with, by modality.
    """

    model: str
    weights_sha256: str
    device: str
    structures: Mapping[str, tuple[str, ...]]

    def require_known(self, prompts: Sequence[Prompt], modality: str) -> None:
        """Check that the model can be asked with these prompts.

        Raises:
            ModalityError: It knows nothing in images of this modality.
            UnknownStructureError: It does not know a prompt; has the nearest ones that it knows.
        """
        known = self.structures.get(modality)
        if not known:
            raise ModalityError(f"The model knows no structure in images of the modality {modality}.")
        for name in missing_from((prompt.text for prompt in prompts), known):
            near = get_close_matches(name, known, n=5) or nearest_structures(name, modality)
            suggestions = tuple(each for each in near if each in known)
            question = f"Did you mean {', '.join(suggestions)}?"
            hint = question if suggestions else f"It knows {len(known)} others."
            message = f"The model does not know {name!r} in {modality} images."
            raise UnknownStructureError(message, hint, suggestions)


class Segmenter(Protocol):
    """Anything that turns a volume and prompts into masks.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> segmenter: Segmenter = FakeSegmenter()
        >>> result = segmenter.segment(phantom(), ["liver"])
        >>> result["liver"].statistics.is_empty
        False
    """

    def info(self) -> ModelInfo:
        """Say what answers.

        Raises:
            TextSegmentError: It cannot be reached.
        """
        ...

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment every prompt in the volume.

        Args:
            volume: The scan.
            prompts: Structures to look for, at least one; duplicates are merged.
            effort: How much of the volume is computed.
            on_event: Called in this thread with progress and with each mask as soon as it is final.
            cancel: Stops the job within one patch.

        Returns:
            One mask a prompt, on the grid of the volume.

        Raises:
            TextSegmentError: Any failure, typed.
        """
        ...
