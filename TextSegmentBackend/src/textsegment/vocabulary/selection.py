"""Turn a typed line into prompts: accept what is certain, ask about or refuse the rest in plain language."""

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
"""Callback that is shown the structures of one term and returns whether to segment all of them."""

LONGEST_TEXT = 20_000
_MOST_NAMES_SHOWN = 12


@dataclass(frozen=True)
class Selection:
    """Structures that a line of text asks for.

    Attributes:
        structures: Prompts of the model, in order; may contain duplicates.
        notes: Sentences for the user about how the text was understood.
    """

    structures: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_length(text: str) -> None:
    """Reject text that cannot be a list of names, before any time is spent on resolving it.

    Raises:
        PromptError: The text has no term, or a term is invalid.
        LimitExceededError: The text or a term is too long.
    """
    if len(text) > LONGEST_TEXT:
        raise LimitExceededError(f"The text is longer than {LONGEST_TEXT} characters.", "Name less at once.")
    terms = [Prompt(term) for terms in split_terms(text) for term in terms]
    if not terms:
        raise PromptError("There is no prompt.", "Name at least one structure, for example liver.")


def check_text(text: str) -> None:
    """Reject text that would not run in any modality, before the image is read.

    Raises:
        PromptError: The text has no term, or a term is invalid.
        LimitExceededError: The text or a term is too long.
        UnknownStructureError: A term does not stand for any structure.
    """
    check_length(text)
    refusals = [[r for r in resolve(text, modality) if not r.runs] for modality in MODALITIES]
    if all(refusals):
        raise _refused(min(refusals, key=len))


def find_structures(text: str, modality: str, available: Collection[str], consent: Consent) -> Selection:
    """Return the prompts that a text stands for.

    Args:
        text: Text as typed, already checked by ``check_text``.
        modality: ``CT``, ``MR`` or ``PT``.
        available: Structures that the model supports in this modality.
        consent: Callback that is asked about every term that stands for several structures.

    Raises:
        ModalityError: The modality is not one of these.
        UnknownStructureError: A term stands for no structure in this modality, or its meaning is ambiguous.
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
    """Return the warnings of a resolution without notes about how the published models were trained."""
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
    """Return one error for all terms that cannot run, with one line for each, including suggestions."""
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
