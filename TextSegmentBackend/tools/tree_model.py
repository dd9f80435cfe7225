"""Structures of the model that a name, or a line of the outline, stands for."""

from __future__ import annotations

from textsegment.vocabulary.language.series import parse_numbered
from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.lexicon import Ambiguity, Concept, concept_name, load_concepts, load_lexicon
from textsegment.vocabulary.structures import load_structures


def expand(member: str) -> list[Concept]:
    """Return the concepts of a line of the outline; ``*gyrus`` means all whose names end with that word."""
    concepts = load_concepts()
    if member.startswith("*"):
        return [
            c
            for name, c in concepts.items()
            if name.endswith(member[1:]) or (member == "*gyrus" and brain_part(c))
        ]
    if member in concepts:
        return [concepts[member]]
    return [concepts[concept_name(load_structures()[member])]]


def brain_part(concept: Concept) -> bool:
    """Return whether a concept is a part of the cerebral cortex, by its kind and name."""
    one = concept.unsided or concept.left or concept.right
    words = ("gyrus", "cortex", "cuneus", "subcallosal", "temporal lobe", "remainder")
    return bool(one and one.kind == "brain region" and any(word in concept.name for word in words))


def exact_target(name: str) -> str:
    """Return the structure or concept that a name means exactly by the lexicon; empty if there is none."""
    lexicon = load_lexicon()
    words, side = take_side(name)
    found = (lexicon.find_sided(words) if side in ("left", "right") else None) or lexicon.find(words)
    if not found and (numbered := parse_numbered(name)) and len(numbered.structures) == 1:
        return numbered.structures[0]
    if not found or isinstance(found, Ambiguity) or found.relation not in ("exact", "sided"):
        return ""
    concept = load_concepts().get(found.target)
    if side is None or concept is None:
        return found.target
    one = concept.on(side) if side in ("left", "right") else concept.unsided
    return one.name if one else ""
