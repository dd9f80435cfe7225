"""The lexicon: which phrase means which structure, and how certain that is.

Phrases are looked up whole: one word more or less and a phrase does not match. The data is curated by hand
(``lexicon.tsv``, ``ambiguous.tsv``, ``groups.json``) or generated (``tg263.json``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from textsegment.vocabulary.language.words import (
    CJK,
    UMLAUTS,
    Key,
    bag_key,
    raw_key,
    read_data,
    read_table,
    stem,
    tokens,
    word_lists,
)
from textsegment.vocabulary.structures import Structure, load_structures

RELATIONS = ("exact", "sided", "broader", "overlaps")  # most certain first


NOUNS_OF_KIND = ("bone", "muscle", "gland")  # "sternum bone" is the sternum


@dataclass(frozen=True)
class Concept:
    """A structure regardless of side.

    Attributes:
        name: Name without a side, such as ``kidney`` or ``putamen``.
        unsided: Structure that covers both sides, if the model has it.
        left: Structure on the left, if the model has it.
        right: Structure on the right, if the model has it.
    """

    name: str
    unsided: Structure | None = None
    left: Structure | None = None
    right: Structure | None = None

    def on(self, side: str | None) -> Structure | None:
        """Return the structure on a side, or without a side the one that covers both."""
        return {"left": self.left, "right": self.right}.get(side or "", self.unsided)


class Entry(NamedTuple):
    """Meaning of a phrase.

    Attributes:
        target: Name of a concept, or of a structure including its side.
        relation: ``exact``; ``sided`` (exact, but only in combination with a side); ``broader`` (the target
            is wider than the phrase); ``overlaps``.
    """

    target: str
    relation: str


class Ambiguity(NamedTuple):
    """Meaning of an ambiguous phrase: the candidates, and the question that decides between them."""

    candidates: tuple[str, ...]
    question: str


class Group(NamedTuple):
    """Meaning of a phrase that stands for several structures."""

    label: str
    members: tuple[str, ...]
    partial: bool


def concept_name(structure: Structure) -> str:
    """Return the name of a structure without its side."""
    words = structure.name.split()
    return " ".join(word for word in words if word != structure.side)


@lru_cache(maxsize=1)
def load_concepts() -> dict[str, Concept]:
    """Return all concepts by name."""
    sides: dict[str, dict[str, Structure]] = {}
    for structure in load_structures().values():
        sides.setdefault(concept_name(structure), {})[structure.side or "unsided"] = structure
    return {name: Concept(name, **found) for name, found in sides.items()}


def _variants(phrase: str) -> Iterable[str]:
    yield phrase
    if any(char in phrase for char in "äöüÄÖÜ"):
        yield phrase.translate(UMLAUTS)


def _group_key(words: list[str]) -> Key:
    """Return a key that ignores word order but not number: one "lung lobe" is not all of them."""
    lists = word_lists()
    kept = (lists["adjectives"].get(word, word) for word in words if word not in lists["function_words"])
    return tuple(sorted(kept))


class Lexicon:
    """All known phrases, indexed by their words as written and by their words in any order."""

    def __init__(self) -> None:
        self.raw: dict[str, Entry] = {}
        self.bag: dict[Key, Entry] = {}
        self.sided_raw: dict[str, Entry] = {}
        self.sided_bag: dict[Key, Entry] = {}
        self.joined: dict[str, str] = {}
        self.ambiguous: dict[str, Ambiguity] = {}
        self.ambiguous_bag: dict[Key, Ambiguity] = {}
        self.groups: dict[str, Group] = {}
        self.groups_bag: dict[Key, Group] = {}
        self.tg263: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.in_modality: dict[tuple[str, str], Entry] = {}
        self.twins: dict[tuple[str, str], str] = {}
        self.sided_by_parts: frozenset[str] = frozenset()
        self.one_sided: frozenset[str] = frozenset()
        self._read_names()
        self._read_lexicon()
        self._read_modality_terms()
        self._read_ambiguous()
        self._read_groups()
        self._read_tg263()

    def _add(self, phrase: str, entry: Entry) -> None:
        for variant in _variants(phrase):
            raw = raw_key(variant)
            bag = None if CJK.search(variant) else bag_key(tokens(raw))
            raws, bags = (
                (self.sided_raw, self.sided_bag) if entry.relation == "sided" else (self.raw, self.bag)
            )
            self._put(raws, raw, entry)
            if bag:
                self._put(bags, bag, entry)
            self.joined.setdefault(raw.replace(" ", ""), raw)

    @staticmethod
    def _put(index: dict[Any, Entry], key: Any, entry: Entry) -> None:
        held = index.get(key)
        if held is None or RELATIONS.index(entry.relation) < RELATIONS.index(held.relation):
            index[key] = entry

    def _read_names(self) -> None:
        for name, both in load_concepts().items():
            self._add(name, Entry(name, "exact"))
            one = both.unsided or both.left or both.right
            longer = f"{name} {one.kind}" if one and one.kind in NOUNS_OF_KIND else name
            if longer not in load_concepts() and longer.count(longer.split()[-1]) == 1:
                self._add(longer, Entry(name, "exact"))
        for structure in load_structures().values():
            if structure.side:
                concept = concept_name(structure)
                for words in ((structure.side, concept), (concept, structure.side)):
                    joined = raw_key(" ".join(words))
                    self.joined.setdefault(joined.replace(" ", ""), joined)

    def _read_lexicon(self) -> None:
        for target, relation, _, phrases in read_table("lexicon.tsv"):
            for phrase in phrases.split("; "):
                self._add(phrase, Entry(target, relation))

    def _read_modality_terms(self) -> None:
        for modality, target, relation, phrases in read_table("modality_terms.tsv"):
            for phrase in phrases.split("; "):
                self.in_modality[modality, raw_key(phrase)] = Entry(target, relation)

    def _read_ambiguous(self) -> None:
        for phrases, candidates, question in read_table("ambiguous.tsv"):
            found = Ambiguity(tuple(c for c in candidates.split("; ") if c), question)
            for phrase in phrases.split("; "):
                for variant in _variants(phrase):
                    self.ambiguous[raw_key(variant)] = found
                    if not CJK.search(variant) and len(variant) > 3:
                        self.ambiguous_bag[bag_key(tokens(raw_key(variant)))] = found

    def _read_groups(self) -> None:
        data = json.loads(read_data("groups.json"))
        self.twins = {(row["name"], row["modality"]): row["use"] for row in data["twins"]}
        self.sided_by_parts = frozenset(data["sided_by_parts"])
        self.one_sided = frozenset(data["one_sided"])
        for row in data["groups"]:
            group = Group(row["label"], tuple(row["members"]), row["partial"])
            for phrase in row["phrases"]:
                for variant in _variants(phrase):
                    raw = raw_key(variant)
                    self.groups[raw] = group
                    if not CJK.search(variant):
                        self.groups_bag[_group_key(tokens(raw))] = group

    def _read_tg263(self) -> None:
        for name, (relation, structures) in json.loads(read_data("tg263.json"))["names"].items():
            self.tg263[raw_key(name)] = (relation, tuple(structures))

    def find_sided(self, words: list[str]) -> Entry | None:
        """Return the meaning that words have only next to a side, as "ventricle" in "left ventricle"."""
        return self.sided_raw.get(" ".join(words)) or self.sided_bag.get(bag_key(words))

    def find_in(self, words: list[str], modality: str, *, sided: bool) -> Entry | None:
        """Return the meaning that words have only in one modality, such as "LV" in MR.

        Args:
            words: Words of the phrase.
            modality: ``CT``, ``MR`` or ``PT``.
            sided: Whether the phrase has a side, so that meanings that require one (such as "OR") count.
        """
        singular = " ".join([*words[:-1], *map(stem, words[-1:])])
        entry = self.in_modality.get((modality, " ".join(words))) or self.in_modality.get(
            (modality, singular)
        )
        return entry if entry and (sided or entry.relation != "sided") else None

    def find_raw(self, words: list[str]) -> Entry | Ambiguity | None:
        """Return the meaning of the words exactly as written."""
        raw = " ".join(words)
        return self.ambiguous.get(raw) or self.raw.get(raw)

    def find(self, words: list[str]) -> Entry | Ambiguity | None:
        """Return the meaning of the words as written, else regardless of order, number and spelling."""
        bag = bag_key(words)
        return self.find_raw(words) or self.ambiguous_bag.get(bag) or self.bag.get(bag)

    def find_group(self, words: list[str]) -> Group | None:
        """Return the group that the words name."""
        return self.groups.get(" ".join(words)) or self.groups_bag.get(_group_key(words))


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """Return the lexicon, which is read once per process."""
    word_lists()
    return Lexicon()
