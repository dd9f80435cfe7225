"""Resolution: from what a person typed to the exact prompts of the model, or to an honest question.

The rule above all others: nothing runs unless every word was understood and the model has exactly that.
Likeness of spelling only ever makes suggestions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from textsegment.errors import ModalityError
from textsegment.vocabulary.lexicon import Ambiguity, Concept, Entry, Group, load_concepts, load_lexicon
from textsegment.vocabulary.parse import split_terms, split_weakly
from textsegment.vocabulary.refuse import (
    NOT_SIGN,
    Refusal,
    find_derived,
    find_disease,
    find_negation,
    find_subtraction,
)
from textsegment.vocabulary.series import Numbered, parse_numbered
from textsegment.vocabulary.sides import take_side
from textsegment.vocabulary.structures import Structure, find_structure, load_structures
from textsegment.vocabulary.suggest import suggest
from textsegment.vocabulary.template import find_template
from textsegment.vocabulary.tree import find_terms, load_tree
from textsegment.vocabulary.words import bag_key, clean, tokens, word_lists

MODALITIES = ("CT", "MR", "PT")
RUNNING = frozenset({"resolved", "group", "template"})


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
    """

    term: str
    status: str
    structures: tuple[str, ...] = ()
    relation: str | None = None
    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it may run without a question."""
        return self.status in RUNNING


class _Answer(NamedTuple):
    """A resolution, whether the term was recognised as a whole, and what else in its list it concerns."""

    resolution: Resolution
    firm: bool = True
    reach: str = "itself"


def resolve(text: str, modality: str) -> list[Resolution]:
    """Return what every term of a text stands for, in order.

    Args:
        text: One term or a list of them, as a person types it.
        modality: ``CT``, ``MR`` or ``PT``.

    Raises:
        ModalityError: The modality is none of these.
    """
    if modality not in MODALITIES:
        raise ModalityError(f"The modality {modality!r} is not supported.", "Use CT, MR or PT.")
    results: list[Resolution] = []
    for terms in split_terms(text):
        negated = False
        for term in terms:
            answers = _resolve_item(term, modality)
            if negated:
                answers = [
                    _questioned(a, "It follows something that is left out; name it by itself.")
                    for a in answers
                ]
            negated = negated or any(a.resolution.status == "negation" for a in answers)
            results.extend(answer.resolution for answer in answers)
    return results


def _questioned(answer: _Answer, reason: str, status: str = "ambiguous") -> _Answer:
    """Return the answer as a question if it would run."""
    found = answer.resolution
    if not found.runs:
        return answer
    asked = replace(found, status=status, structures=(), warnings=(reason,), suggestions=found.structures)
    return answer._replace(resolution=asked)


def _resolve_item(term: str, modality: str) -> list[_Answer]:
    """Return the answers to a term that may hold "and", "&", "+" or "/"."""
    whole = _resolve_phrase(term, modality)
    pieces = split_weakly(term)
    if (
        whole.firm
        or len(pieces) == 1
        or (whole.resolution.status == "derived_volume" and whole.reach != "itself")
    ):
        return [whole]
    pieces = _shared_words(pieces, modality)
    answers = [_resolve_phrase(piece, modality) for piece in pieces]
    if all(answer.resolution.status == "unknown" for answer in answers):
        return [whole]
    return _scoped(pieces, answers, modality)


def _shared_words(pieces: list[str], modality: str) -> list[str]:
    """Return the pieces with the words that they share: "upper and lower lobe", "gluteus maximus and medius"."""
    first, last = pieces[0].split(), pieces[-1].split()
    full = list(pieces)
    for index, piece in enumerate(pieces):
        words = piece.split()
        if _resolve_phrase(piece, modality).resolution.status != "unknown":
            continue
        for shared in ([*words, *last[len(words) :]], [*first[: len(first) - len(words)], *words]):
            if len(shared) > len(words) and _resolve_phrase(" ".join(shared), modality).resolution.runs:
                full[index] = " ".join(shared)
                break
    return full


def _scoped(pieces: Sequence[str], answers: list[_Answer], modality: str) -> list[_Answer]:
    """Return the answers after what one piece says about its neighbours.

    "no liver and spleen" negates both; "liver and spleen metastases" may mean metastases of both; "left
    kidney and adrenal gland" may mean the left gland.
    """
    scoped = list(answers)
    last = len(answers) - 1
    for index, answer in enumerate(answers):
        if answer.reach == "after":
            for later in range(index + 1, len(answers)):
                scoped[later] = _questioned(
                    scoped[later], answer.resolution.warnings[0], answer.resolution.status
                )
        if answer.reach == "before" and index == last:
            for earlier in range(index):
                scoped[earlier] = _questioned(
                    scoped[earlier], "What follows may concern it too; name it by itself."
                )
    sides = [take_side(piece).side for piece in pieces]
    ends_with_side = tokens(clean(pieces[-1]))[-1:] and tokens(clean(pieces[-1]))[-1] in word_lists()["sides"]
    head = tokens(clean(pieces[-1]))[-1:]
    for index, piece in enumerate(pieces):
        one_sided = sides[index] is None and _has_sides(scoped[index].resolution)
        if one_sided and (any(sides[:index]) or (ends_with_side and index < last)):
            scoped[index] = _questioned(scoped[index], "On which side? The other terms name one.")
        if index < last and _borrows(piece, head, scoped[index], modality):
            scoped[index] = _questioned(
                scoped[index], f'"{piece} {head[0]}" may be meant; name it by itself.'
            )
    return scoped


def _has_sides(found: Resolution) -> bool:
    concepts = load_concepts()
    return any(name in concepts and concepts[name].left is not None for name in found.structures)


def _borrows(piece: str, head: list[str], answer: _Answer, modality: str) -> bool:
    """Return whether the piece may share the last word of the list ("lung and liver tumor")."""
    if not head or not answer.resolution.runs or tokens(clean(piece))[-1:] == head:
        return False
    joined = _resolve_phrase(f"{piece} {head[0]}", modality).resolution
    return (
        joined.status not in ("unknown", "derived_volume", "negation")
        and joined.structures != answer.resolution.structures
    )


def _resolve_phrase(term: str, modality: str, *, joined: bool = True) -> _Answer:
    """Return the answer to one phrase, with nothing left to split."""
    if structure := find_structure(term):
        return _Answer(_of_structures(term, [structure], modality))
    if NOT_SIGN.search(clean(term)) and (refusal := find_negation(term)):
        return _refused(term, refusal)
    if template := find_template(term):
        return _Answer(_of_template(term, template, modality))
    body = _without_opener(term)
    if (answer := _of_two_names(term, body, modality)) is not None:
        return answer
    if (answer := _of_numbers(term, body, modality)) is not None:
        return answer
    if (answer := _of_words(term, body, modality)) is not None:
        subtraction = find_subtraction(body)
        if subtraction and answer.resolution.runs and not _dash_before_side(body):
            return _refused(term, subtraction)
        return answer
    together = load_lexicon().joined.get("".join(tokens(clean(body)))) if joined else None
    if together and together != " ".join(tokens(clean(body))):
        return _resolve_phrase(together, modality, joined=False)._replace(
            resolution=replace(_resolve_phrase(together, modality, joined=False).resolution, term=term)
        )
    return _of_last_resort(term, body, modality)


def _of_two_names(term: str, body: str, modality: str) -> _Answer | None:
    """Return the answer to "inferior vena cava (IVC)" if both names mean the same."""
    found = re.fullmatch(r"([^()]+)\(([^()]+)\)\s*", body)
    if not found or not take_side(found[2]).words:
        return None
    first, second = (_resolve_phrase(name, modality) for name in found.groups())
    if not first.resolution.runs or first.resolution.structures != second.resolution.structures:
        return None
    return first._replace(resolution=replace(first.resolution, term=term))


def _without_opener(term: str) -> str:
    cleaned = clean(term).lstrip("-*• ")
    for opener in word_lists()["openers"]:
        if cleaned.startswith(f"{opener} "):
            return cleaned[len(opener) + 1 :]
    return cleaned


def _dash_before_side(body: str) -> bool:
    """Return whether the dash only parts a side from the rest ("kidney - left")."""
    sides = word_lists()["sides"]
    return any(all(word in sides for word in tokens(part)) for part in body.split("-"))


def _of_template(term: str, template: object, modality: str) -> Resolution:
    from textsegment.vocabulary.template import Template

    assert isinstance(template, Template)
    chosen = template.structures(modality)
    if not chosen:
        return Resolution(
            term, "not_in_modality", warnings=(f"The model has none of {template.label} in {modality}.",)
        )
    return Resolution(term, "template", chosen, "parts", template.warnings(modality))


def _of_numbers(term: str, body: str, modality: str) -> _Answer | None:
    """Return the answer if the phrase is a vertebra, disc, rib or liver segment by number."""
    numbered = parse_numbered(body)
    side = None
    if numbered is None:
        words, side = take_side(body)
        if side is None or not words:
            return None
        numbered = parse_numbered(_strip_sides(body))
        if numbered is None:
            return None
    return _Answer(_of_numbered(term, numbered, side, modality))


def _strip_sides(body: str) -> str:
    sides = word_lists()["sides"]
    return " ".join(part for part in body.replace("_", " ").split() if part.strip("().,:-") not in sides)


def _of_numbered(term: str, numbered: Numbered, side: str | None, modality: str) -> Resolution:
    if numbered.problem:
        return Resolution(
            term, numbered.problem, warnings=(numbered.message,), suggestions=numbered.suggestions
        )
    concepts = load_concepts()
    if side is None:
        chosen = [load_structures()[name] for name in numbered.structures]
        return _of_structures(term, chosen, modality)
    found = [_on_side(concepts[name], side) for name in numbered.structures if name in concepts]
    flat = [structure for structures in found for structure in structures]
    if len(found) != len(numbered.structures) or not all(found):
        return _side_conflict(term, numbered.structures)
    return _of_structures(term, flat, modality)


def _on_side(concept: Concept, side: str | None) -> list[Structure]:
    """Return the structures of a concept on a side; empty if the model does not tell its sides apart."""
    pair = [s for s in (concept.left, concept.right) if s]
    if side == "conflict":
        return []
    if side == "each":
        return pair if len(pair) == 2 else []
    if side in ("left", "right"):
        one = concept.on(side)
        if one is None and concept.name in load_lexicon().sided_by_parts and concept.unsided:
            return [s for s in map(load_structures().__getitem__, concept.unsided.parts) if s.side == side]
        return [one] if one else []
    if concept.unsided:
        return [concept.unsided]
    return pair if len(pair) == 2 else []


def _side_conflict(term: str, names: Iterable[str]) -> Resolution:
    return Resolution(
        term,
        "ambiguous",
        relation="broader",
        warnings=("The model does not tell this side apart, or there is none; run it without a side?",),
        suggestions=tuple(names),
    )


def _of_structures(
    term: str, chosen: Sequence[Structure], modality: str, relation: str = "exact"
) -> Resolution:
    """Return the resolution that runs these structures, if the model has all of them in the modality."""
    twins = load_lexicon().twins
    found: list[Structure] = []
    for structure in chosen:
        if modality not in structure.modalities and (twin := twins.get((structure.name, modality))):
            structure = load_structures()[twin]
        found.append(structure)
    names = tuple(dict.fromkeys(structure.name for structure in found))
    absent = [s for s in found if modality not in s.modalities]
    if absent:
        others = sorted({m for s in absent for m in s.modalities})
        present = tuple(s.name for s in found if modality in s.modalities)
        related = tuple(
            s.unsided for s in absent if s.unsided and modality in load_structures()[s.unsided].modalities
        )
        what = absent[0].name if len(absent) == 1 else f"{len(absent)} of these structures"
        warning = f"The model knows {what} in {' and '.join(others)} only, not in {modality}."
        return Resolution(term, "not_in_modality", warnings=(warning,), suggestions=present or related)
    warnings = tuple(dict.fromkeys(s.note for s in found if s.note))
    if len(names) == 1:
        return Resolution(term, "resolved", names, relation, warnings)
    return Resolution(term, "group", names, "parts", warnings)


def _of_words(term: str, body: str, modality: str) -> _Answer | None:
    """Return the answer if the lexicon knows all words of the phrase."""
    lexicon = load_lexicon()
    words = tokens(clean(body))
    if not words:
        return None
    sideless, side = take_side(body)
    for candidate, its_side in ((words, None), (sideless, side), (_without_fillers(sideless), side)):
        if not candidate:
            continue
        if its_side in ("left", "right") and (entry := lexicon.find_sided(candidate)):
            return _Answer(_of_entry(term, entry, its_side, modality))
        if group := lexicon.find_group(candidate):
            return _Answer(_of_group(term, group, its_side, modality))
        found = lexicon.find(candidate)
        if isinstance(found, Ambiguity):
            return _Answer(_of_ambiguity(term, found, modality))
        if found:
            return _Answer(_of_entry(term, found, its_side, modality))
        if tg := lexicon.tg263.get(" ".join(candidate)):
            return _Answer(_of_tg263(term, *tg, its_side, modality))
    return None


def _without_fillers(words: list[str]) -> list[str]:
    return [word for word in words if word not in word_lists()["fillers"]]


def _of_entry(term: str, entry: Entry, side: str | None, modality: str) -> Resolution:
    structure = load_structures().get(entry.target)
    concept = load_concepts().get(entry.target)
    if concept is None:
        assert structure is not None
        chosen = [structure]
        if side is not None and side != structure.side:
            return _side_conflict(term, [structure.name])
    else:
        chosen = _on_side(concept, side)
    if entry.relation in ("broader", "overlaps"):
        options = tuple(s.name for s in chosen) or tuple(s.name for s in _on_side(concept, None) if concept)
        if disease := find_disease(tokens(clean(term))):
            return Resolution(term, disease.status, warnings=(disease.reason,), suggestions=options)
        return Resolution(
            term, "ambiguous", relation=entry.relation, warnings=(ASK[entry.relation],), suggestions=options
        )
    if side == "conflict" or not chosen:
        assert concept is not None
        options = tuple(s.name for s in (concept.unsided, concept.left, concept.right) if s)
        return _side_conflict(term, options)
    if concept and not _in(chosen, modality) and side in (None, "both"):
        pair = _on_side(concept, "each")
        if pair and _in(pair, modality):
            chosen = pair
    if concept and not _in(chosen, modality) and side == "each":
        return _of_structures(term, chosen, modality)
    return _of_structures(term, chosen, modality)


def _in(chosen: Sequence[Structure], modality: str) -> bool:
    return all(modality in structure.modalities for structure in chosen)


def _of_ambiguity(term: str, found: Ambiguity, modality: str) -> Resolution:
    structures = load_structures()
    concepts = load_concepts()
    names: list[str] = []
    for candidate in found.candidates:
        if candidate in structures:
            names.append(candidate)
        elif candidate in concepts:
            names.extend(s.name for s in _on_side(concepts[candidate], None))
    names.sort(key=lambda name: modality not in structures[name].modalities)
    return Resolution(
        term, "ambiguous", warnings=(f"It may mean {found.question}.",), suggestions=tuple(names)
    )


def _of_group(term: str, group: Group, side: str | None, modality: str) -> Resolution:
    structures = load_structures()
    chosen: list[Structure] = []
    for name in group.members:
        member = structures[name]
        if side not in ("left", "right"):
            chosen.append(member)
        elif member.side == side:
            chosen.append(member)
        elif member.side is None:
            chosen.extend(_on_side(load_concepts()[name], side))
    if side == "conflict" or not chosen or (side in ("left", "right") and not any(s.side for s in chosen)):
        return _side_conflict(term, group.members)
    present = [s for s in chosen if modality in s.modalities]
    if group.partial and present and len(present) < len(chosen):
        found = _of_structures(term, present, modality, "parts")
        warning = f"In {modality} the model has {len(present)} of {len(chosen)}."
        return replace(found, status="group", warnings=(warning, *found.warnings))
    found = _of_structures(term, chosen, modality, "parts")
    return replace(found, status="group") if found.runs else found


def _of_tg263(
    term: str, relation: str, names: tuple[str, ...], side: str | None, modality: str
) -> Resolution:
    structures = [load_structures()[name] for name in names]
    if relation == "derived":
        return Resolution(
            term, "derived_volume", warnings=("A volume made from others; segment its parts first.",)
        )
    if relation == "none":
        return Resolution(term, "unsupported", warnings=("The model was not trained on it.",))
    if relation in ("exact", "composite") and side is None:
        return _of_structures(term, structures, modality)
    ask = ASK.get(relation, ASK["overlaps"])
    return Resolution(term, "ambiguous", relation="broader", warnings=(ask,), suggestions=names)


def _refused(term: str, refusal: Refusal) -> _Answer:
    return _Answer(
        Resolution(term, refusal.status, warnings=(refusal.reason,)), firm=False, reach=refusal.reach
    )


def _of_last_resort(term: str, body: str, modality: str) -> _Answer:
    """Return why a phrase that nothing knows is refused, or suggestions."""
    words = tokens(clean(body))
    for refusal in (find_negation(body), find_derived(body), find_subtraction(body)):
        if refusal:
            return _refused(term, refusal)
    sideless = take_side(body).words
    known = find_terms(words) or find_terms(sideless) or find_terms(_without_fillers(sideless))
    if known:
        warning = f"{known[0].name} is anatomy that the model was not trained on."
        wider = load_tree().wider(known[0].id, modality)
        resolution = Resolution(term, "unsupported", warnings=(warning,), suggestions=wider)
        return _Answer(resolution, firm=len(split_weakly(term)) == 1)
    if refusal := find_disease(words):
        return _refused(term, refusal)
    return _Answer(Resolution(term, "unknown", suggestions=suggest(body, modality)), firm=False)


ASK = {
    "broader": "The model has only something wider; run that instead?",
    "narrower": "The model has only a part of it; run that instead?",
    "overlaps": "The model has only something that overlaps with it; run that instead?",
}

__all__ = ["MODALITIES", "RUNNING", "Resolution", "bag_key", "resolve"]
