"""Suggestions for text that was not understood: names one typing error away, else names within the text.

Suggestions are shown, never run. No suggestion is better than a misleading one: names that merely look
similar, or lie on the other side, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.language.words import CJK, clean, tokens
from textsegment.vocabulary.lexicon import Ambiguity, Entry, load_concepts, load_lexicon
from textsegment.vocabulary.structures import load_structures

LEAST_LIKENESS = 0.8
MOST_WORSE = 0.05  # largest accepted difference in similarity to the nearest name
MOST_LETTERS_MORE = 2
SHORTEST_TYPO = 4
LONGEST_NAME = 8  # words


@lru_cache(maxsize=1)
def _phrases() -> dict[tuple[int, str], list[tuple[str, str]]]:
    """Return all known phrases as (phrase, target), grouped by number of words and first letter."""
    found: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for raw, entry in load_lexicon().raw.items():
        if not CJK.search(raw) and raw:
            found.setdefault((raw.count(" "), raw[0]), []).append((raw, entry.target))
    return found


@lru_cache(maxsize=2048)
def suggest(text: str, modality: str, limit: int = 5) -> tuple[str, ...]:
    """Return prompts that may have been meant: names with a similar spelling, else names within the text.

    Args:
        text: Text as typed; its side, if any, is kept.
        modality: Modality to which suggestions are restricted.
        limit: Maximum number of prompts to return.

    Example:
        >>> suggest("left kidny", "CT"), suggest("liver_seg", "CT"), suggest("hyoid", "CT")
        (('left kidney',), ('liver',), ())
    """
    found = list(_misspelled(text)) or list(_inside(tokens(clean(text))))
    known = load_structures()
    return tuple(dict.fromkeys(name for name in found if modality in known[name].modalities))[:limit]


def is_slip(text: str) -> bool:
    """Return whether the suggestions for a text are corrections of its spelling, of which one may be meant.

    Otherwise they are names found within the text, all of which may be meant.
    """
    return bool(list(_misspelled(text)))


def _inside(words: list[str]) -> Iterable[str]:
    """Yield the prompts for names within the text: the longest name at each position, with its side."""
    at = 0
    while at < len(words):
        for end in range(min(len(words), at + LONGEST_NAME), at, -1):
            part = take_side(" ".join(words[at:end]))
            entry = load_lexicon().find_raw(part.words) if part.words and part.side != "conflict" else None
            if isinstance(entry, Entry) and entry.relation == "exact" and not _is_number(words, at, end):
                yield from prompts_of(entry.target, part.side)
                at = end - 1
                break
        at += 1


def _is_number(words: list[str], at: int, end: int) -> bool:
    """Return whether a match is one word of one or two letters, which only looks like an abbreviation."""
    return end - at == 1 and len(words[at]) < 3


def _misspelled(text: str) -> Iterable[str]:
    """Yield the prompts for phrases with a spelling similar to the text, closest first."""
    words, side = take_side(text)
    typed = " ".join(words)
    if len(typed) < SHORTEST_TYPO or side == "conflict":
        return
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(typed)
    best: dict[str, float] = {}
    for phrase, target in _phrases().get((typed.count(" "), typed[0]), ()):
        if abs(len(phrase) - len(typed)) > MOST_LETTERS_MORE:
            continue
        if re.findall(r"\d+", phrase) != re.findall(r"\d+", typed):
            continue
        matcher.set_seq1(phrase)
        if matcher.quick_ratio() >= LEAST_LIKENESS and (likeness := matcher.ratio()) >= LEAST_LIKENESS:
            for name in prompts_of(target, side):
                best[name] = max(best.get(name, 0.0), likeness)
    least = max(best.values(), default=0.0) - MOST_WORSE
    yield from sorted((name for name in best if best[name] >= least), key=lambda name: (-best[name], name))


def prompts_of(target: str, side: str | None) -> list[str]:
    """Return the prompts of a concept or structure on a side; empty if it does not have that side."""
    structures = load_structures()
    concept = load_concepts().get(target)
    if concept is None:
        return [target] if side not in ("left", "right") or structures[target].side in (None, side) else []
    if side in ("left", "right"):
        one = concept.on(side)
        return [one.name] if one else []
    options = [concept.unsided] if concept.unsided else [concept.left, concept.right]
    return [structure.name for structure in options if structure]


def prompts_of_candidates(found: Ambiguity, side: str | None) -> list[str]:
    """Return the prompts of the candidates of an ambiguity, each on the typed side where it has sides."""
    names: list[str] = []
    for candidate in found.candidates:
        names += prompts_of(candidate, side) or (
            prompts_of(candidate, None) if _has_no_sides(candidate) else []
        )
    return list(dict.fromkeys(names))


def _has_no_sides(candidate: str) -> bool:
    concept = load_concepts().get(candidate)
    if concept is None:
        return load_structures()[candidate].side is None
    return concept.left is None and concept.right is None
