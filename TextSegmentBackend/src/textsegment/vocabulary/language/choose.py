"""Turn an entry of the lexicon and a side into the structures of the model, or into a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textsegment.caution import Caution
from textsegment.vocabulary.language.refuse import find_disease
from textsegment.vocabulary.language.series import Numbered
from textsegment.vocabulary.language.words import clean, tokens
from textsegment.vocabulary.lexicon import Ambiguity, Concept, Entry, Group, load_concepts, load_lexicon
from textsegment.vocabulary.resolution import ASK, Resolution, running, side_conflict
from textsegment.vocabulary.structures import Structure, load_structures
from textsegment.vocabulary.suggest import prompts_of_candidates
from textsegment.vocabulary.template import Template


def on_side(concept: Concept, side: str | None) -> list[Structure]:
    """Return the structures of a concept on a side; empty if the model does not distinguish its sides."""
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
    return pair if len(pair) == 2 or concept.name in load_lexicon().one_sided else []


def _twinned(chosen: Sequence[Structure], modality: str) -> list[Structure]:
    """Replace each structure by the one that the model uses for it in the modality ("femur bone")."""
    twins = load_lexicon().twins
    names = (s.name if modality in s.modalities else twins.get((s.name, modality), s.name) for s in chosen)
    return [load_structures()[name] for name in names]


def of_structures(term: str, chosen: Sequence[Structure], modality: str) -> Resolution:
    """Return the resolution that runs the chosen structures under their names in the modality."""
    return running(term, _twinned(chosen, modality), modality)


def of_template(term: str, template: Template, modality: str) -> Resolution:
    """Return the resolution that runs a template."""
    chosen = template.structures(modality)
    if not chosen:
        warning = Caution("template_lacking", template=template.label, modality=modality)
        return Resolution(term, "not_in_modality", warnings=(warning,))
    return Resolution(term, "template", chosen, "parts", template.warnings(modality))


def of_numbered(term: str, numbered: Numbered, side: str | None, modality: str) -> Resolution:
    """Return the resolution of vertebrae, discs, ribs or liver segments."""
    names = numbered.structures
    if disc := _only_disc(numbered, modality):
        return of_structures(term, [disc], modality)
    if numbered.problem:
        return Resolution(
            term, numbered.problem, warnings=(numbered.message,), suggestions=numbered.suggestions
        )
    if side is None:
        return of_structures(term, [load_structures()[name] for name in names], modality)
    concepts = load_concepts()
    found = [on_side(concepts[name], side) if name in concepts else [] for name in names]
    if not all(found):
        return side_conflict(term, names)
    return of_structures(term, [structure for structures in found for structure in structures], modality)


def _only_disc(numbered: Numbered, modality: str) -> Structure | None:
    """Return the disc of "L5-S1" where the model lacks one of the two vertebrae in the modality."""
    options = [load_structures()[name] for name in numbered.suggestions]
    if numbered.problem != "ambiguous" or len(options) != 3 or options[0].kind != "disc":
        return None
    here = [modality in structure.modalities for structure in options]
    return options[0] if here[0] and not all(here) else None


def of_entry(term: str, entry: Entry, side: str | None, modality: str) -> Resolution:
    """Return the resolution of an entry of the lexicon on a side."""
    concept = load_concepts().get(entry.target)
    if concept is None:
        structure = load_structures()[entry.target]
        whole = chosen = [structure]
        if side not in (None, structure.side):
            return side_conflict(term, [structure.name])
    else:
        whole, chosen = _all_of(concept), on_side(concept, side)
    if entry.relation in ASK:
        return _of_wider(term, entry.relation, chosen or whole)
    if not chosen:
        return side_conflict(term, [structure.name for structure in whole])
    if concept and side in (None, "both") and not _known(_twinned(chosen, modality), modality):
        pair = on_side(concept, "each")
        chosen = pair if pair and _known(pair, modality) else chosen
    return of_structures(term, chosen, modality)


def _all_of(concept: Concept) -> list[Structure]:
    return on_side(concept, None) or [s for s in (concept.left, concept.right) if s]


def _known(chosen: Sequence[Structure], modality: str) -> bool:
    return all(modality in structure.modalities for structure in chosen)


def _of_wider(term: str, relation: str, options: Sequence[Structure]) -> Resolution:
    """Return the question, or for a disease the refusal, where the model has only related structures."""
    names = tuple(structure.name for structure in options)
    if disease := find_disease(tokens(clean(term))):
        return Resolution(term, disease.status, warnings=(disease.reason,), suggestions=names)
    return Resolution(term, "ambiguous", relation=relation, warnings=(ASK[relation],), suggestions=names)


def of_hip(term: str, side: str | None) -> Resolution:
    """Return the question raised by "hip" in radiotherapy names: the bone or the femoral head."""
    concepts = load_concepts()
    options = [s.name for name in ("hip", "head of femur") for s in on_side(concepts[name], side)]
    warning = Caution("term_hip")
    return Resolution(term, "ambiguous", warnings=(warning,), suggestions=tuple(options))


def of_ambiguity(term: str, found: Ambiguity, side: str | None, modality: str) -> Resolution:
    """Return the question raised by a phrase with several meanings, those of the modality first."""
    structures = load_structures()
    names = prompts_of_candidates(found, side)
    names.sort(key=lambda name: modality not in structures[name].modalities)
    warning = Caution("term_meanings", meanings=found.question)
    return Resolution(term, "ambiguous", warnings=(warning,), suggestions=tuple(names))


def of_group(term: str, group: Group, side: str | None, modality: str) -> Resolution:
    """Return the resolution of a group, restricted to its members on a side if one is given."""
    members = [load_structures()[name] for name in group.members]
    chosen = members if side not in ("left", "right", "conflict") else _members_on(members, side)
    if not chosen:
        return side_conflict(term, group.members)
    present = [structure for structure in chosen if modality in structure.modalities]
    if group.partial and present and len(present) < len(chosen):
        found = running(term, present, modality)
        warning = Caution("term_some_in_modality", modality=modality, count=len(present), total=len(chosen))
        return replace(found, status="group", warnings=(warning, *found.warnings))
    found = running(term, chosen, modality)
    return replace(found, status="group") if found.runs else found


def _members_on(members: Sequence[Structure], side: str) -> list[Structure]:
    """Return the members on a side; empty if one of them has no sides."""
    chosen: list[Structure] = []
    for member in members:
        if member.side is None:
            one = on_side(load_concepts()[member.name], side) if member.name in load_concepts() else []
            if not one:
                return []
            chosen.extend(one)
        elif member.side == side:
            chosen.append(member)
    return chosen


def of_tg263(term: str, relation: str, names: Sequence[str], side: str | None, modality: str) -> Resolution:
    """Return the resolution of a TG-263 name."""
    if relation == "derived":
        warning = Caution("term_made_of_others")
        return Resolution(term, "derived_volume", warnings=(warning,))
    if relation == "none":
        return Resolution(term, "unsupported", warnings=(Caution("term_not_trained"),))
    if relation in ("exact", "composite") and side is None:
        return of_structures(term, [load_structures()[name] for name in names], modality)
    asked = relation if relation in ASK else "overlaps"
    return Resolution(term, "ambiguous", relation=asked, warnings=(ASK[asked],), suggestions=tuple(names))
