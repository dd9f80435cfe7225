"""Checks of prompts against the model and the scan, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from textsegment.errors import ModalityError, UnknownStructureError
from textsegment.inference.grid import axis_order
from textsegment.model.text_encoder import TextEncoder
from textsegment.prompt import Prompt, unique_prompts
from textsegment.vocabulary.structures import known_in, nearest_structures
from textsegment.volume import Volume

_SPINE = ("vertebra", "intervertebral", "sacrum", "spinal c")


def check_prompts(
    prompts: Sequence[Prompt | str], modality: str, encoder: TextEncoder
) -> tuple[tuple[Prompt, ...], tuple[str, ...]]:
    """Return the prompts, each once, and sentences for the user.

    Raises:
        PromptError: There is no prompt, or one is not valid.
        ModalityError: The model knows nothing in images of this modality.
        UnknownStructureError: The model does not know a structure in this modality; has suggestions.
    """
    wanted = unique_prompts(prompts)
    known = structures_of(encoder, modality)
    if not known:
        raise ModalityError(f"The model knows no structure in images of the modality {modality}.")
    for prompt in wanted:
        if prompt.text not in known:
            near = get_close_matches(prompt.text, known, n=5) or nearest_structures(prompt.text, modality)
            suggestions = tuple(name for name in near if name in known)
            raise UnknownStructureError(
                f"The model does not know {prompt.text!r} in {modality} images.",
                f"Did you mean {', '.join(suggestions)}?" if suggestions else "See the list of structures.",
                suggestions,
            )
    merged = len(prompts) - len(wanted)
    return wanted, (("Structures that were asked for twice are given once.",) if merged else ())


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
