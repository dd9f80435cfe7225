"""What the words of a template mean."""

from __future__ import annotations

from textsegment.errors import UnknownStructureError
from textsegment.templates.fields import Fields
from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.structures import find_structure


def structures_named(text: str, row: Fields) -> tuple[str, ...]:
    """Return the structures that a text stands for in the first modality that has them all.

    Args:
        text: Words, such as ``lt kidney`` or ``left lung, right lung``.
        row: Line of the template, for the error.

    Raises:
        UnknownStructureError: The text is not understood, or not without a question.
    """
    if known := find_structure(text):
        return (known.name,)
    refusals = []
    for modality in MODALITIES:
        resolutions = resolve(text, modality)
        refused = [one for one in resolutions if not one.runs]
        if resolutions and not refused:
            return tuple(dict.fromkeys(name for one in resolutions for name in one.structures))
        refusals.append(refused)
    best = min(refusals, key=len)
    said = " ".join(warning for one in best for warning in one.warnings)
    suggestions = tuple(dict.fromkeys(name for one in best for name in one.suggestions))
    hint = f"Did you mean {', '.join(suggestions[:5])}?" if suggestions else ""
    raise UnknownStructureError(
        f"{row.place('text')}: {text!r} is not a structure that is known for certain. {said}".strip(),
        hint or "`textsegment terms search WORDS` finds names.",
        suggestions,
    )


def relation_of(prompts: tuple[str, ...]) -> str:
    """Return how a line relates to its structures."""
    return "exact" if len(prompts) == 1 else "parts"
