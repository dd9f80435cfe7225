"""How prompts relate to the model and to the orientation of the canonical image."""

from __future__ import annotations

from collections.abc import Sequence

from textsegment.inference.image.grid import axis_order
from textsegment.model.text.text_encoder import TextEncoder
from textsegment.prompt import Prompt
from textsegment.vocabulary.structures import known_in
from textsegment.volume import Volume

_SPINE = ("vertebra", "intervertebral", "sacrum", "spinal c")


def structures_of(encoder: TextEncoder, modality: str) -> tuple[str, ...]:
    """Return the prompts that a model supports in a modality: those it was trained on.

    A text encoder can embed any text, but the network understands no other prompts.
    """
    supported = encoder.supported(modality)
    return supported if supported is not None else known_in(modality)


def choose_orientation(wanted: str, volume: Volume, prompts: Sequence[Prompt]) -> str:
    """Return the axes of the canonical image.

    Args:
        wanted: ``RAS``, ``ASR`` or ``auto``. ``auto`` means ASR, in which SAT was trained on its spine data
            sets, for sagittally acquired MR if all prompts are structures of the spine, and RAS otherwise.
        volume: Scan to segment.
        prompts: All prompts of the request.
    """
    if wanted != "auto":
        return wanted
    (across, *_), _ = axis_order(volume.geometry)
    spacing = volume.geometry.spacing
    is_sagittal = all(spacing[across] > size for axis, size in enumerate(spacing) if axis != across)
    is_spine = all(any(word in prompt.text for word in _SPINE) for prompt in prompts)
    return "ASR" if volume.modality == "MR" and is_sagittal and is_spine else "RAS"
