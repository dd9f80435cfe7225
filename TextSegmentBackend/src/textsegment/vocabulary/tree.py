"""The open anatomy tree: terms of human anatomy, what lies above and below them, and what the model has.

A term may have several parents (a kidney belongs to the urinary organs and to the abdomen), so the tree is
a directed graph without circles. The data is made by ``tools/build_tree.py``.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, NamedTuple

from textsegment.vocabulary.language.words import bag_key, clean, read_data, stem, tokens
from textsegment.vocabulary.structures import load_structures

CURATED = ("top:", "structure:")
SOURCES = {
    "top": "TextSegment",
    "term": "TextSegment",
    "structure": "SAT",
    "UBERON": "UBERON",
    "SCT": "DICOM",
}
MOST_HITS = 600  # looked at in a search; the terms that the model has stand first in the data


class Parent(NamedTuple):
    """What lies above a term, and how: ``is-a`` or ``part-of``."""

    id: str
    relation: str


@dataclass(frozen=True)
class Term:
    """A term of anatomy.

    Attributes:
        id: ``top:…`` and ``structure:…`` (curated), ``UBERON:…``, ``SCT:…`` (DICOM), ``term:…`` (ours).
        name: Preferred name.
        synonyms: Other names.
        definition: Short definition or note; may be empty.
        parents: What lies above it; empty at the top only.
        structures: Prompts of the model that are this term, both sides if it has only these; may be empty.
    """

    id: str
    name: str
    synonyms: tuple[str, ...]
    definition: str
    parents: tuple[Parent, ...]
    structures: tuple[str, ...]

    @property
    def source(self) -> str:
        """Where the term comes from: ``TextSegment``, ``SAT``, ``UBERON`` or ``DICOM``."""
        return SOURCES[self.id.partition(":")[0]]


@dataclass(frozen=True)
class Support:
    """What the model has for a term in a modality.

    Attributes:
        kind: ``structure`` (the term itself), ``parts`` (things below it), ``wider`` (the nearest thing
            above it), ``none``.
        structures: The prompts.
    """

    kind: str
    structures: tuple[str, ...] = ()


class Tree:
    """All terms, with look-up, browsing and search. Terms are made when they are asked for."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = rows
        self._index = {row[0]: number for number, row in enumerate(rows)}
        self._made: dict[int, Term] = {}
        self._children: dict[int, list[int]] = {}
        names: list[str] = []
        self._owners: list[int] = []
        for number, row in enumerate(rows):
            for parent, _ in row[4]:
                self._children.setdefault(parent, []).append(number)
            names.append(row[1])
            names.extend(row[2])
            self._owners.extend([number] * (1 + len(row[2])))
        self._text = "\n" + "\n".join(names).lower() + "\n"
        self._starts = [0, *accumulate(len(name) + 1 for name in names)]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Term]:
        return map(self._term, range(len(self._rows)))

    def __getitem__(self, identifier: str) -> Term:
        return self._term(self._index[identifier])

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._index

    def _term(self, number: int) -> Term:
        if number not in self._made:
            key, name, synonyms, definition, parents, own = self._rows[number]
            above = tuple(Parent(self._rows[parent][0], relation) for parent, relation in parents)
            self._made[number] = Term(key, name, tuple(synonyms), definition, above, tuple(own))
        return self._made[number]

    def roots(self) -> tuple[Term, ...]:
        """Return the curated top level, in its order."""
        return tuple(self._term(number) for number, row in enumerate(self._rows) if not row[4])

    def children(self, identifier: str) -> tuple[Term, ...]:
        """Return what lies directly below a term: the curated and what the model has first, then by name."""
        below = [self._term(child) for child in self._children.get(self._index[identifier], ())]
        curated = [term for term in below if term.id.startswith(CURATED)]
        others = [term for term in below if not term.id.startswith(CURATED)]
        return (*curated, *sorted(others, key=lambda term: term.name.lower()))

    def named(self, name: str) -> tuple[Term, ...]:
        """Return the terms of exactly this name or synonym, whatever the case."""
        line = " ".join(name.lower().split())
        hits = self._lines_with(f"\n{line}\n")
        return tuple(self._term(owner) for owner in dict.fromkeys(self._owners[hit] for hit in hits))

    def of_words(self, words: Sequence[str]) -> tuple[Term, ...]:
        """Return the terms whose name or synonym has these words, in any order, number and spelling."""
        wanted = bag_key(words)
        if not wanted:
            return ()
        rarest = min((stem(word) for word in words), key=self._text.count)
        found: dict[int, None] = {}
        for line in islice(self._lines_with(rarest), MOST_HITS):
            if bag_key(tokens(self._text[self._starts[line] + 1 : self._starts[line + 1]])) == wanted:
                found[self._owners[line]] = None
        return tuple(self._term(owner) for owner in found)

    def _lines_with(self, part: str) -> Iterator[int]:
        """Yield the numbers of the names that hold a piece of text, each once."""
        position = self._text.find(part)
        while position >= 0:
            first = position + 1 if part.startswith("\n") else position
            line = bisect_right(self._starts, first - 1) - 1
            yield line
            position = self._text.find(part, self._starts[line + 1])

    def search(self, text: str, limit: int = 20) -> tuple[Term, ...]:
        """Return terms with a name or synonym that holds all words of the text, best first.

        Whole names come before all others, then what the model has, then names that begin with the text,
        names before synonyms, short before long. Fewer than three letters find beginnings only.
        """
        query = clean(text)
        words = sorted(query.split(), key=self._text.count)
        if not words:
            return ()
        hits = self._lines_with(words[0] if len(words[0]) > 2 else f"\n{words[0]}")
        best: dict[int, tuple[bool, bool, int, bool, int]] = {}
        for line in islice(hits, MOST_HITS):
            start = self._starts[line] + 1
            name = self._text[start : self._starts[line + 1]]
            if all(word in name for word in words[1:]):
                owner = self._owners[line]
                place = 0 if name.startswith(query) else 1 if f" {query}" in name else 2
                synonym = line > 0 and self._owners[line - 1] == owner
                rank = (name != query, not self._rows[owner][5], place, synonym, len(name))
                best[owner] = min(best.get(owner, rank), rank)
        return tuple(self._term(owner) for owner in sorted(best, key=best.__getitem__)[:limit])

    def support(self, identifier: str, modality: str) -> Support:
        """Return what the model has for a term in a modality.

        Raises:
            KeyError: There is no such term.
        """
        term = self[identifier]
        if own := _known(term.structures, modality):
            return Support("structure", own)
        if parts := self._below(identifier, modality):
            return Support("parts", parts)
        wider = self.wider(identifier, modality)
        return Support("wider", wider) if wider else Support("none")

    def wider(self, identifier: str, modality: str) -> tuple[str, ...]:
        """Return the prompts of the nearest terms above that the model has in a modality."""
        front = [parent.id for parent in self[identifier].parents]
        seen = set(front)
        while front:
            found = [s for i in front for s in _known(self[i].structures, modality)]
            if found:
                return tuple(dict.fromkeys(found))
            front = [p.id for i in front for p in self[i].parents if p.id not in seen]
            seen.update(front)
        return ()

    def _below(self, identifier: str, modality: str) -> tuple[str, ...]:
        found: list[str] = []
        front = list(self._children.get(self._index[identifier], ()))
        seen = set(front)
        while front:
            child = front.pop(0)
            if own := _known(tuple(self._rows[child][5]), modality):
                found.extend(own)
                continue
            fresh = [below for below in self._children.get(child, ()) if below not in seen]
            seen.update(fresh)
            front.extend(fresh)
        return tuple(dict.fromkeys(found))


def _known(structures: tuple[str, ...], modality: str) -> tuple[str, ...]:
    held = load_structures()
    return structures if structures and all(modality in held[s].modalities for s in structures) else ()


@lru_cache(maxsize=1)
def load_tree() -> Tree:
    """Return the tree; read once."""
    return Tree(json.loads(read_data("tree.json"))["terms"])


def find_terms(words: Sequence[str]) -> tuple[Term, ...]:
    """Return the terms that the words of a cleaned text name, in this order or else in any.

    >>> [term.name for term in find_terms(["kidney", "left"])]
    ['left kidney']
    """
    tree = load_tree()
    return tree.named(" ".join(words)) or tree.of_words(words)
