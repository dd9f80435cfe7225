"""Resolve one phrase: rules are tried in turn, from exact names to suggestions, until one knows all words."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from textsegment.caution import Caution
from textsegment.vocabulary.language import choose
from textsegment.vocabulary.language.headings import find_heading
from textsegment.vocabulary.language.openers import other_readings, without_request
from textsegment.vocabulary.language.parse import split_weakly
from textsegment.vocabulary.language.refuse import (
    NOT_SIGN,
    Refusal,
    find_derived,
    find_disease,
    find_hip,
    find_negation,
    find_subtraction,
)
from textsegment.vocabulary.language.series import parse_numbered
from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.language.words import CJK, clean, tokens, word_lists
from textsegment.vocabulary.lexicon import Ambiguity, load_lexicon
from textsegment.vocabulary.resolution import Resolution
from textsegment.vocabulary.structures import find_structure, load_structures
from textsegment.vocabulary.suggest import is_slip, suggest
from textsegment.vocabulary.template import find_template
from textsegment.vocabulary.tree import Term, find_terms, load_tree

# "riñón der", "kidney A": a phrase does not end in an article, so the last word is not to be dropped.
LOST_AT_END = [[word] for word in word_lists()["function_words"] if word != "os"]
ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
RIB_OF_SIDE = re.compile(r"\b(ribs?)[\s_]*([lr])[\s_]*0?(\d{1,2})\b")
LOBE = re.compile(r"\blobes?\b")

LONGEST_PHRASE = 1000
"""Longest phrase that is looked at, in characters; the time for one grows with the square of its length."""


class PhraseMeaning(NamedTuple):
    """A resolution, whether the phrase was recognised as a whole, and which neighbours it affects."""

    resolution: Resolution
    firm: bool = True
    reach: str = "itself"


@lru_cache(maxsize=4096)
def resolve_phrase(term: str, modality: str) -> PhraseMeaning:
    """Resolve one phrase that needs no further splitting."""
    if len(term) > LONGEST_PHRASE:
        return PhraseMeaning(Resolution(term, "unknown", warnings=(Caution("term_too_long"),)))
    answer = _resolve_as_typed(term, modality)
    if answer.resolution.status == "unknown":
        for reading in other_readings(term):
            other = _resolve_as_typed(reading, modality)
            if other.resolution.status != "unknown":
                return other._replace(resolution=replace(other.resolution, term=term))
    return answer


def _resolve_as_typed(term: str, modality: str) -> PhraseMeaning:
    if hip := find_hip(term):
        return PhraseMeaning(choose.of_hip(term, hip.side))
    if structure := find_structure(term) or find_structure(ARTICLE.sub("", term)):
        return PhraseMeaning(choose.of_structures(term, [structure], modality))
    if NOT_SIGN.search(clean(term)) and (refusal := find_negation(term)):
        return _refused(term, refusal)
    if heading := find_heading(term):
        return _of_heading(term, heading, modality)
    if template := find_template(term):
        return PhraseMeaning(choose.of_template(term, template, modality))
    body = without_request(term, modality)
    found = _of_two_names(term, body, modality) or _of_numbers(term, body, modality)
    if found is None and (found := _of_words(term, body, modality) or _of_joined(term, body, modality)):
        subtraction = find_subtraction(body)
        if (
            subtraction
            and found.runs
            and not (_dash_before_side(body) or _dash_before_part(body, found, modality))
        ):
            return _refused(term, subtraction)
    if found is None:
        return _of_last_resort(term, body, modality)
    return PhraseMeaning(found, firm=take_side(body).side != "conflict")


def _of_heading(term: str, reason: str, modality: str) -> PhraseMeaning:
    """Return the question raised by a heading, with the text after it as the suggestion."""
    rest = term.rpartition(":")[2].strip() or term
    behind = resolve_phrase(rest, modality).resolution if rest != term else None
    suggestions = behind.structures or behind.suggestions if behind else suggest(term, modality)
    joint = behind is not None and behind.runs
    return PhraseMeaning(
        Resolution(term, "ambiguous", warnings=(reason,), suggestions=suggestions, joint=joint)
    )


def _dash_before_side(body: str) -> bool:
    """Return whether the dash only separates a side from the rest ("kidney - left")."""
    sides = word_lists()["sides"]
    return any(all(word in sides for word in tokens(part)) for part in body.split("-"))


def _dash_before_part(body: str, found: Resolution, modality: str) -> bool:
    """Return whether the dash introduces a part: "Lung - lower lobe of left", but not "lung - tumor"."""
    _, _, part = body.partition(" - ")
    behind = resolve_phrase(part, modality).resolution if LOBE.search(part) else None
    return behind is not None and behind.structures == found.structures


def _of_two_names(term: str, body: str, modality: str) -> Resolution | None:
    """Resolve two names of one thing, as in "inferior vena cava (IVC)" and "Atlas - C1", else None."""
    found = re.fullmatch(r"([^()]+)\(([^()]+)\)\s*", body) or re.fullmatch(r"(.+?) - (.+)", body)
    if not found or not take_side(found[2]).words:
        return None
    first, second = (resolve_phrase(name, modality).resolution for name in found.groups())
    return replace(first, term=term) if first.runs and first.structures == second.structures else None


def _of_numbers(term: str, body: str, modality: str) -> Resolution | None:
    """Resolve a vertebra, disc, rib or liver segment by number; None if the phrase is none of these."""
    body = RIB_OF_SIDE.sub(r"\1 \3 \2", body)
    if numbered := parse_numbered(body):
        return choose.of_numbered(term, numbered, None, modality)
    words, side = take_side(body)
    if side is None:
        return None
    lists = word_lists()
    dropped = {*lists["sides"], *lists["side_nouns"], *lists["side_leads"]} - set(words)
    sideless = [part for part in body.replace("_", " ").split() if part.strip("().,:-") not in dropped]
    numbered = parse_numbered(" ".join(words if CJK.search(body) else sideless))
    return choose.of_numbered(term, numbered, side, modality) if numbered else None


def _of_words(term: str, body: str, modality: str) -> Resolution | None:
    """Resolve a phrase of which the lexicon knows all words; None if it does not."""
    lexicon = load_lexicon()
    sideless, side = take_side(body)
    ends_in_article = tokens(clean(body))[-1:] in LOST_AT_END
    for words, its_side in (
        (tokens(clean(body)), None),
        (sideless, side),
        (_without_fillers(sideless), side),
    ):
        if not words:
            continue
        if entry := lexicon.find_in(words, modality, sided=its_side in ("left", "right", "each")):
            return choose.of_entry(term, entry, its_side, modality)
        if isinstance(found := lexicon.find_raw(words), Ambiguity) and its_side is None:
            return choose.of_ambiguity(term, found, side, modality)
        if its_side in ("left", "right", "each") and (entry := lexicon.find_sided(words)):
            return choose.of_entry(term, entry, its_side, modality)
        if group := lexicon.find_group(words):
            return choose.of_group(term, group, its_side, modality)
        named = lexicon.tg263.get(" ".join(words))
        exact = named is not None and named[0] in ("exact", "composite")
        if named and exact and its_side is None and not lexicon.find_raw(words):
            return choose.of_tg263(term, *named, None, modality)
        found = lexicon.find_raw(words) if ends_in_article else lexicon.find(words)
        if isinstance(found, Ambiguity):
            return choose.of_ambiguity(term, found, side, modality)
        if found:
            return choose.of_entry(term, found, its_side, modality)
        if named:
            return choose.of_tg263(term, *named, its_side, modality)
    return None


def _of_joined(term: str, body: str, modality: str) -> Resolution | None:
    """Resolve words written without spaces ("leftkidney"); None if they are not recognised."""
    words, side = take_side(body)
    joined = load_lexicon().joined
    for written, its_side in ((tokens(clean(body)), ""), (words, side or "")):
        if any(a.isdigit() and b.isdigit() for a, b in pairwise(written)):
            continue  # "rib_1_1" is not the eleventh
        apart = joined.get("".join(written))
        if apart and apart != " ".join(written) and its_side in ("", "left", "right"):
            return _of_words(term, f"{its_side} {apart}", modality)
    return None


def _without_fillers(words: list[str]) -> list[str]:
    return [word for word in words if word not in word_lists()["fillers"]]


def _refused(term: str, refusal: Refusal) -> PhraseMeaning:
    resolution = Resolution(term, refusal.status, warnings=(refusal.reason,))
    return PhraseMeaning(resolution, firm=False, reach=refusal.reach)


def _subtraction(body: str, modality: str) -> Refusal | None:
    """Return the refusal for a spaced dash that may be a minus after a known structure, or None."""
    found = find_subtraction(body)
    minuend = re.split(r"\s-|-\s", clean(body), maxsplit=1)[0]
    return found if found and resolve_phrase(minuend, modality).resolution.runs else None


def _of_known(term: str, known: Term, side: str | None, modality: str) -> Resolution:
    """Return the question raised by a name that only the anatomy tree knows, or the reason it cannot run."""
    structures = load_structures()
    own = tuple(name for name in known.structures if modality in structures[name].modalities)
    if own:
        kept = tuple(name for name in own if structures[name].side in (None, side) or side is None)
        return Resolution(
            term, "ambiguous", warnings=(Caution("term_asks", structure=known.name),), suggestions=kept
        )
    warning = Caution("term_anatomy_not_trained", structure=known.name)
    wider = load_tree().wider(known.id, modality)
    kept = tuple(name for name in wider if structures[name].side in (None, side) or side is None)
    return Resolution(term, "unsupported", warnings=(warning,), suggestions=kept)


def _of_last_resort(term: str, body: str, modality: str) -> PhraseMeaning:
    """Return a refusal with its reason, or suggestions, for a phrase that no other rule recognised."""
    words = tokens(clean(body))
    for refusal in (find_negation(body), find_derived(body), _subtraction(body, modality)):
        if refusal:
            return _refused(term, refusal)
    sideless = take_side(body).words
    readings = dict.fromkeys((tuple(words), tuple(sideless), tuple(_without_fillers(sideless))))
    if known := next(filter(None, map(find_terms, readings)), ()):
        resolution = _of_known(term, known[0], take_side(body).side, modality)
        return PhraseMeaning(resolution, firm=len(split_weakly(term)) == 1)
    if refusal := find_disease(words):
        return _refused(term, refusal)
    suggestions, joint = suggest(body, modality), not is_slip(body)
    return PhraseMeaning(Resolution(term, "unknown", suggestions=suggestions, joint=joint), firm=False)
