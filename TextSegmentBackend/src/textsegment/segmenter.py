"""The protocol that every engine implements, local or remote."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from textsegment.caution import Caution
from textsegment.correction.edit import Edit
from textsegment.doubt import Calibration
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import CancelledError, ModalityError, UnknownStructureError
from textsegment.geometry import Box
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.availability import missing_from
from textsegment.vocabulary.structures import nearest_structures
from textsegment.volume import Volume


@dataclass(frozen=True)
class Queued:
    """Event: the job is queued; ``position`` jobs must finish before it starts."""

    position: int


@dataclass(frozen=True)
class Progress:
    """Event: progress of the job.

    Attributes:
        fraction: Fraction done, 0 to 1; never decreases.
        stage: Current stage: ``"preparing"``, ``"encoding"``, ``"decoding"`` or ``"finishing"``; with a
            server also ``"uploading"`` and ``"waiting"``.
    """

    fraction: float
    stage: str


@dataclass(frozen=True)
class MaskReady:
    """Event: the mask of one structure is final."""

    mask: StructureMask


@dataclass(frozen=True)
class Estimated:
    """Event: estimated cost of a job, known once the scan is prepared and before the network runs.

    Attributes:
        patches: Number of patches that the network has to process; patches already cached do not count.
        seconds: Approximate duration on this machine; None if unknown.
        memory_bytes: Approximate peak memory of the engine, in bytes.
    """

    patches: int
    seconds: float | None
    memory_bytes: int


Event = Queued | Estimated | Progress | MaskReady
EventCallback = Callable[[Event], None]


def ignore_events(event: Event) -> None:
    """Event callback that does nothing."""


class CancelToken:
    """Thread-safe flag that asks a job to stop; may be set more than once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop at its next patch."""
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until cancellation is requested; return False if the timeout expires first."""
        return self._event.wait(timeout_s)

    @property
    def is_cancelled(self) -> bool:
        """Whether cancellation has been requested."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise ``CancelledError`` if cancellation has been requested."""
        if self._event.is_set():
            raise CancelledError("The job was cancelled.")


@dataclass(frozen=True)
class ModelInfo:
    """The model behind a segmenter, and what it can segment.

    Attributes:
        model: Name of the model, such as ``sat-nano``.
        weights_sha256: SHA-256 digest of its weights; equal weights give equal masks.
        device: Device it runs on: ``cpu``, ``cuda`` or ``mps``.
        structures: Prompts that the model supports, by modality code.
        calibration: How unsure the model is of good masks, by which its masks are judged; None if unknown.
    """

    model: str
    weights_sha256: str
    device: str
    structures: Mapping[str, tuple[str, ...]]
    calibration: Calibration | None = None

    def require_known(self, prompts: Sequence[Prompt], modality: str) -> None:
        """Check that the model supports these prompts in this modality.

        Raises:
            ModalityError: The model has no structures for this modality.
            UnknownStructureError: The model does not support a prompt; the error suggests the closest ones
                that it supports.
        """
        known = self.structures.get(modality)
        if not known:
            raise ModalityError(Caution("modality_without_structures", modality=modality))
        for name in missing_from((prompt.text for prompt in prompts), known):
            near = get_close_matches(name, known, n=5) or nearest_structures(name, modality)
            suggestions = tuple(each for each in near if each in known)
            question = f"Did you mean {', '.join(suggestions)}?"
            hint = question if suggestions else f"It knows {len(known)} others."
            message = Caution("prompt_not_known", prompt=name, modality=modality)
            raise UnknownStructureError(message, hint, suggestions)


class Segmenter(Protocol):
    """Protocol of objects that turn a volume and prompts into masks.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> segmenter: Segmenter = FakeSegmenter()
        >>> result = segmenter.segment(phantom(), ["liver"])
        >>> result["liver"].statistics.is_empty
        False
    """

    def info(self) -> ModelInfo:
        """Return a description of the model behind this segmenter.

        Raises:
            TextSegmentError: The model cannot be reached.
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
            volume: Scan to segment.
            prompts: Structures to segment, at least one; duplicates are merged.
            effort: How much of the volume to process.
            on_event: Callback for progress and for each mask as soon as it is final; called in the calling
                thread.
            cancel: Token that stops the job within one patch.

        Returns:
            The segmentation: one mask per prompt, on the grid of the volume.

        Raises:
            TextSegmentError: Any failure, as one of its subclasses.
        """
        ...

    def correct(
        self,
        volume: Volume,
        *,
        edits: Sequence[Edit],
        base: StructureMask | None = None,
        prompt: Prompt | str | None = None,
        name: str = "",
        within: Box | None = None,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> StructureMask:
        """Carry what a person has drawn into a mask to the rest of the image.

        Voxels that were drawn stay as they were drawn; a correction never changes its arguments. With edits
        and a name alone, a structure that the model does not know is drawn once.

        Args:
            volume: Scan to which the mask belongs.
            edits: What was drawn, in order: where edits contradict each other, the last one counts.
            base: Mask before the edits; None to let the model find it for the prompt, or to begin with what
                was drawn.
            prompt: Prompt of the structure, if the model knows it.
            name: Name of the structure; by default that of the mask, or the prompt.
            within: Box of voxels that may change; None for all.
            on_event: Callback for progress and for the mask; called in the calling thread.
            cancel: Token that stops the job within one patch.

        Returns:
            The corrected mask, whose origin says that a person has edited it.

        Raises:
            EditError: There are no edits, or edits or mask lie outside the image, fill all of it, or leave
                nothing to begin with.
            PromptError: Neither name, mask nor prompt says what the structure is called.
            TextSegmentError: Any other failure, as one of its subclasses.

        Example:
            >>> from textsegment.correction import Edit
            >>> from textsegment.testing import FakeSegmenter, ball, phantom
            >>> volume = phantom()
            >>> disc = Edit.slice_of(ball("liver", volume.geometry), axis=2, index=11)
            >>> FakeSegmenter().correct(volume, edits=[disc], name="lesion").structure
            'lesion'
        """
        ...
