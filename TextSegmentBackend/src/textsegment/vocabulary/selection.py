"""From the typed line to prompts: runs what is certain, and asks or refuses the rest in words of a user."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from textsegment.errors import LimitExceededError, PromptError, UnknownStructureError
from textsegment.prompt import Prompt
from textsegment.vocabulary.availability import as_available
from textsegment.vocabulary.language.parse import split_terms
from textsegment.vocabulary.resolution import note_in
from textsegment.vocabulary.resolve import MODALITIES, Resolution, resolve
from textsegment.vocabulary.structures import known_in, load_structures

Consent = Callable[[str], bool]
"""Shown what one term stands for; answers whether to segment all of it."""

_LONGEST_TEXT = 20_000
_MOST_NAMES_SHOWN = 12


@dataclass(frozen=True)
class Selection:
    """What a line of text asks for.

    Attributes:
        structures: Prompts of the model, in order; may hold duplicates.
        notes: What the user should know about the words.
    """

    structures: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_length(text: str) -> None:
    """Refuse a text that is no line of names, before any time is spent on what it means.

    Raises:
        PromptError: There is no term, or one is not valid.
        LimitExceededError: The text or a term is too long.
    """
    if len(text) > _LONGEST_TEXT:
        raise LimitExceededError(f"The text is longer than {_LONGEST_TEXT} characters.", "Name less at once.")
    terms = [Prompt(term) for terms in split_terms(text) for term in terms]
    if not terms:
        raise PromptError("There is no prompt.", "Name at least one structure, for example liver.")


def check_text(text: str) -> None:
    """Refuse a text that would not run whatever the modality of the image is, before the image is read.

    Raises:
        PromptError: There is no term, or one is not valid.
        LimitExceededError: The text or a term is too long.
        UnknownStructureError: A term stands for no structure.
    """
    check_length(text)
    refusals = [[r for r in resolve(text, modality) if not r.runs] for modality in MODALITIES]
    if all(refusals):
        raise _refused(min(refusals, key=len))


def find_structures(text: str, modality: str, available: Collection[str], consent: Consent) -> Selection:
    """Return the prompts that a text stands for.

    Args:
        text: As typed; checked by ``check_text``.
        modality: ``CT``, ``MR`` or ``PT``.
        available: Structures that the model has in this modality.
        consent: Asked for every term that stands for several structures.

    Raises:
        ModalityError: Another modality.
        UnknownStructureError: A term stands for no structure in this modality, or its meaning is open.
        PromptError: Consent was refused.

    Example:
        >>> known = ["liver", "left kidney", "right kidney"]
        >>> find_structures("liver, lt kidney", "CT", known, lambda question: False).structures
        ('liver', 'left kidney')
    """
    resolutions = [as_available(found, available) for found in resolve(text, modality)]
    refused = [resolution for resolution in resolutions if not resolution.runs]
    if refused:
        raise _refused(refused)
    has_all = set(known_in(modality)) <= set(available)
    structures: list[str] = []
    notes: list[str] = []
    for resolution in resolutions:
        if resolution.status != "resolved":
            _ask(resolution, consent)
        structures += resolution.structures
        notes += resolution.warnings if has_all else _without_training_notes(resolution, modality)
    return Selection(tuple(structures), tuple(dict.fromkeys(notes)))


def _without_training_notes(resolution: Resolution, modality: str) -> list[str]:
    """Leave out what the vocabulary tells of the training of the published models."""
    structures = load_structures()
    notes = {note_in(structures[name], modality) for name in resolution.structures}
    return [warning for warning in resolution.warnings if warning not in notes]


def _ask(resolution: Resolution, consent: Consent) -> None:
    chosen = resolution.structures
    shown = ", ".join(chosen[:_MOST_NAMES_SHOWN]) + (", …" if len(chosen) > _MOST_NAMES_SHOWN else "")
    meaning = f'"{resolution.term}" stands for {len(chosen)} structures: {shown}.'
    if not consent(meaning):
        raise PromptError(meaning, "Add --yes to segment them all, or name the ones that you want.")


def _refused(resolutions: Sequence[Resolution]) -> UnknownStructureError:
    """Return one error for all terms that cannot run: a line each, suggestions included."""
    suggestions = tuple(dict.fromkeys(name for r in resolutions for name in r.suggestions))
    if len(resolutions) == 1:
        return UnknownStructureError(_problem(resolutions[0]), _question(resolutions[0]), suggestions)
    lines = (f"{_problem(r)} {_question(r)}".strip() for r in resolutions)
    return UnknownStructureError("\n  ".join(("Some terms cannot be segmented.", *lines)), "", suggestions)


def _problem(resolution: Resolution) -> str:
    if not resolution.warnings:
        return f'"{resolution.term}" is not a structure that is known.'
    return f'"{resolution.term}": {" ".join(resolution.warnings)}'


def _question(resolution: Resolution) -> str:
    if not resolution.suggestions:
        return "" if resolution.warnings else "`textsegment terms search WORDS` finds names."
    lead = "Did you mean" if resolution.status == "unknown" else "You can ask for"
    names = ", ".join(resolution.suggestions[:_MOST_NAMES_SHOWN])
    return f"{lead} {names}{'?' if resolution.status == 'unknown' else '.'}"
