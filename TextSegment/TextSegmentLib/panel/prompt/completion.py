"""Completions of a partly typed term. Independent of Qt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.language.words import clean
from textsegment.vocabulary.lexicon import Concept, load_concepts, load_lexicon
from textsegment.vocabulary.structures import Structure
from textsegment.vocabulary.tree import load_tree

_SEPARATOR = re.compile(r"[,;，；、\n\t|]")
_MOST = 12
_LONGEST = 60
_TREE_HITS = 60


class Completion(NamedTuple):
    """A completion of a term.

    Attributes:
        name: Text to insert: the name of a structure or of a group.
        synonym: Synonym that matched; empty if the name itself did.
    """

    name: str
    synonym: str = ""


def fragment_at(text: str, cursor: int) -> tuple[int, int]:
    """Return start and end of the term under the cursor, without surrounding whitespace."""
    before = [found.end() for found in _SEPARATOR.finditer(text, 0, cursor)]
    start = before[-1] if before else 0
    behind = _SEPARATOR.search(text, cursor)
    end = behind.start() if behind else len(text)
    term = text[start:end]
    lead = len(term) - len(term.lstrip())
    return min(start + lead, cursor), max(start + len(term.rstrip()), cursor)


def with_completion(text: str, cursor: int, name: str) -> tuple[str, int]:
    """Return the text with the term under the cursor replaced, and the new cursor position."""
    start, end = fragment_at(text, cursor)
    if text[end:].strip():
        return text[:start] + name + text[end:], start + len(name)
    completed = text[:start] + name + ", "
    return completed, len(completed)


def complete(fragment: str, modality: str, known: Collection[str]) -> list[Completion]:
    """Return completions, best first: by prefix of a name, then groups, synonyms, and words inside names.

    Args:
        fragment: Part of the term typed so far; a side named in it is kept.
        modality: ``CT``, ``MR`` or ``PT``.
        known: Names of the structures that can be requested.
    """
    typed = clean(fragment[: _LONGEST + 1])
    if not 2 <= len(typed) <= _LONGEST:
        return []
    found = dict.fromkeys(name for name in sorted(known, key=len) if name.startswith(typed))
    best = [Completion(name) for name in found]
    for each in (*_groups(typed, known), *_sided(typed, known), *_from_tree(typed, modality, known)):
        if each.name not in found:
            found[each.name] = None
            best.append(each)
    return [each for each in best[:_MOST] if each.name != typed]


def _groups(typed: str, known: Collection[str]) -> Iterator[Completion]:
    seen: set[str] = set()
    for phrase, group in load_lexicon().groups.items():
        if phrase.startswith(typed) and group.label not in seen and any(m in known for m in group.members):
            seen.add(group.label)
            yield Completion(phrase)


def _sided(typed: str, known: Collection[str]) -> Iterator[Completion]:
    """Yield structures whose name or synonym starts with the typed words, on the side that was typed."""
    words, side = take_side(typed)
    begun = " ".join(words)
    if len(begun) < 2:
        return
    concepts = load_concepts()
    for phrase, entry in load_lexicon().raw.items():
        if entry.relation != "exact" or not phrase.startswith(begun):
            continue
        concept = concepts.get(entry.target)
        options = [entry.target] if concept is None else [s.name for s in _on(concept, side)]
        for name in options:
            if name in known:
                yield Completion(name, "" if phrase in name else phrase)


def _on(concept: Concept, side: str | None) -> list[Structure]:
    one = concept.on(side) if side in ("left", "right") else None
    options = [one] if one else [concept.unsided, concept.left, concept.right]
    return [structure for structure in options if structure]


def _from_tree(typed: str, modality: str, known: Collection[str]) -> Iterator[Completion]:
    for term in load_tree().search(typed, _TREE_HITS):
        matched = next((s for s in (term.name, *term.synonyms) if typed in s.lower()), term.name)
        synonym = "" if matched == term.name else matched
        for name in term.structures:
            if name in known:
                yield Completion(name, synonym)
