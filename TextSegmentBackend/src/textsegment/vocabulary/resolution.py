"""The result of resolving a term: its status, its structures, and the questions it may raise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from textsegment.caution import Caution
from textsegment.vocabulary.structures import Structure, load_structures

MODALITIES = ("CT", "MR", "PT")
RUNNING = frozenset({"resolved", "group", "template"})
ASK = {name: Caution(f"term_{name}") for name in ("broader", "narrower", "overlaps")}
"""What is asked where the model has only something else, by its relation to the term."""


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
        warnings: Sentences for the user, as cautions with code and values.
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
    warning = Caution("term_side_unclear")
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
        where = {"others": " and ".join(others), "modality": modality}
        if len(absent) == 1:
            warning = Caution("term_other_modality", structure=absent[0].name, **where)
        else:
            warning = Caution("terms_other_modality", count=len(absent), **where)
        return Resolution(term, "not_in_modality", warnings=(warning,), suggestions=present or related)
    notes = dict.fromkeys(filter(None, (note_in(s, modality) for s in chosen)))
    warnings = tuple(Caution("term_note", note=note) for note in notes)
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
