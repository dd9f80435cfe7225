"""What a term comes to: a resolution, its statuses, and the questions that it may ask."""

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
    """What one term stands for.

    Attributes:
        term: The text of this term.
        status: ``resolved``, ``group`` or ``template``: may run. All others ask or refuse: ``ambiguous``,
            ``not_in_modality``, ``unsupported``, ``unknown``, ``negation``, ``derived_volume``.
        structures: Exact prompts of the model; empty unless the term may run.
        relation: How the structures relate to the term: ``exact``, ``parts`` (they make it up together),
            ``broader`` (the model has only something wider), ``overlaps``; None if there are none.
        warnings: Sentences for the user.
        suggestions: Prompts that may have been meant.
        joint: Whether the suggestions make up one answer together, and are no alternatives.
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
        """Whether it may run without a question."""
        return self.status in RUNNING


def side_conflict(term: str, names: Iterable[str]) -> Resolution:
    """Return the question that a side asks which the model does not know."""
    warning = "The model does not tell this side apart, or there is none; run it without a side?"
    return Resolution(term, "ambiguous", relation="broader", warnings=(warning,), suggestions=tuple(names))


def running(term: str, chosen: Sequence[Structure], modality: str) -> Resolution:
    """Return the resolution that runs these structures: ``resolved`` for one, ``group`` for several.

    It runs only if the model has all of them in the modality.
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
    """Return what a user should know of a structure in a modality; empty if nothing."""
    sentences = re.findall(r"[^.]+\.", structure.note)
    other = [m for m in MODALITIES if m != modality]
    return "".join(
        s
        for s in sentences
        if not any(re.search(rf"\b(?:in|on) {m}\b|^\W*Sagittal spine {m}", s, re.I) for m in other)
    ).strip()


def questioned(found: Resolution, reason: str, status: str = "ambiguous") -> Resolution:
    """Return a resolution as a question if it would run."""
    if not found.runs:
        return found
    return replace(
        found, status=status, structures=(), warnings=(reason,), suggestions=found.structures, joint=True
    )
