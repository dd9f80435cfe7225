"""The result of resolving a term: its status, its structures, and the questions it may raise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from textsegment.vocabulary.structures import Structure, load_structures

MODALITIES = ("CT", "MR", "PT")
RUNNING = frozenset({"resolved", "group", "template"})
ASK = {
    "broader": "The model has only something wider; run that instead?",
    "narrower": "The model has only a part of it; run that instead?",
    "overlaps": "The model has only something that overlaps with it; run that instead?",
}


@dataclass(frozen=True)
class Resolution:
    """Meaning of one term.

    Attributes:
        term: Text of the term.
        status: ``resolved``, ``group`` or ``template`` if the term may run. All other values mean a question
            or a refusal: ``ambiguous``, ``not_in_modality``, ``unsupported``, ``unknown``, ``negation``,
            ``derived_volume``.
        structures: Exact prompts of the model; empty unless the term may run.
        relation: How the structures relate to the term: ``exact``, ``parts`` (together they make it up),
            ``broader`` (the model has only something wider), ``overlaps``; None if there are no structures.
        warnings: Sentences for the user.
        suggestions: Prompts that may have been meant.
        joint: Whether the suggestions form one answer together instead of being alternatives.
    """

    term: str
    status: str
    structures: tuple[str, ...] = ()
    relation: str | None = None
    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    joint: bool = False

    @property
    def runs(self) -> bool:
        """Whether the term may run without asking the user."""
        return self.status in RUNNING


def side_conflict(term: str, names: Iterable[str]) -> Resolution:
    """Return the question to ask when a term names a side that the model does not distinguish.

    Args:
        term: Text of the term.
        names: Prompts to suggest instead.
    """
    warning = "The model does not tell this side apart, or there is none; run it without a side?"
    return Resolution(term, "ambiguous", relation="broader", warnings=(warning,), suggestions=tuple(names))


def running(term: str, chosen: Sequence[Structure], modality: str) -> Resolution:
    """Return the resolution that runs the chosen structures: ``resolved`` for one, ``group`` for several.

    If the model lacks any of them in the modality, the status is ``not_in_modality``.
    """
    names = tuple(dict.fromkeys(structure.name for structure in chosen))
    if absent := [structure for structure in chosen if modality not in structure.modalities]:
        others = sorted({m for structure in absent for m in structure.modalities})
        present = tuple(structure.name for structure in chosen if structure not in absent)
        unsided = (structure.unsided for structure in absent if structure.unsided)
        related = tuple(name for name in unsided if modality in load_structures()[name].modalities)
        what = absent[0].name if len(absent) == 1 else f"{len(absent)} of these structures"
        warning = f"The model knows {what} in {' and '.join(others)} only, not in {modality}."
        return Resolution(term, "not_in_modality", warnings=(warning,), suggestions=present or related)
    warnings = tuple(dict.fromkeys(filter(None, (note_in(s, modality) for s in chosen))))
    if len(names) == 1:
        return Resolution(term, "resolved", names, "exact", warnings)
    return Resolution(term, "group", names, "parts", warnings)


def note_in(structure: Structure, modality: str) -> str:
    """Return the part of a structure's note that applies to a modality; may be empty."""
    sentences = re.findall(r"[^.]+\.", structure.note)
    other = [m for m in MODALITIES if m != modality]
    return "".join(
        s
        for s in sentences
        if not any(re.search(rf"\b(?:in|on) {m}\b|^\W*Sagittal spine {m}", s, re.I) for m in other)
    ).strip()


def questioned(found: Resolution, reason: str, status: str = "ambiguous") -> Resolution:
    """Turn a resolution that would run into a question; return any other unchanged.

    Args:
        found: Resolution of a term.
        reason: The question, as a sentence for the user.
        status: Status of the question.
    """
    if not found.runs:
        return found
    return replace(
        found, status=status, structures=(), warnings=(reason,), suggestions=found.structures, joint=True
    )
