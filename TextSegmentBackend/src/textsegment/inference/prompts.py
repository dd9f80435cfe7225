"""What prompts mean for the model and for the way in which the scan is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from textsegment.inference.image.grid import axis_order
from textsegment.model.text.text_encoder import TextEncoder
from textsegment.prompt import Prompt
from textsegment.vocabulary.structures import known_in
from textsegment.volume import Volume

_SPINE = ("vertebra", "intervertebral", "sacrum", "spinal c")


def structures_of(encoder: TextEncoder, modality: str) -> tuple[str, ...]:
    """Return the prompts that a model can be asked with: those that it was trained on.

    A text encoder embeds any text, but the network knows no other words.
    """
    supported = encoder.supported(modality)
    return supported if supported is not None else known_in(modality)


def choose_orientation(wanted: str, volume: Volume, prompts: Sequence[Prompt]) -> str:
    """Return the axes of the canonical image.

    Args:
        wanted: ``RAS``, ``ASR``, or ``auto``: ASR, as SAT was trained on its spine sets, for MR that was
            acquired in sagittal slices when only structures of the spine are asked for; RAS for all else.
        volume: The scan.
        prompts: All structures of the request.
    """
    if wanted != "auto":
        return wanted
    (across, *_), _ = axis_order(volume.geometry)
    spacing = volume.geometry.spacing
    is_sagittal = all(spacing[across] > size for axis, size in enumerate(spacing) if axis != across)
    is_spine = all(any(word in prompt.text for word in _SPINE) for prompt in prompts)
    return "ASR" if volume.modality == "MR" and is_sagittal and is_spine else "RAS"
