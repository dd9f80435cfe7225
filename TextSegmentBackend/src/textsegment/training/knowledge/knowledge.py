"""What the vocabulary knows about anatomy, as texts and relations for a text encoder to learn.

Concepts are the terms of the open anatomy tree; terms with one name are one concept. Their texts are
synonyms and definitions of the tree, phrases of the lexicon in ten languages, and TG-263 names. Every text
has a source.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from textsegment.files.disk.atomic import atomic_output
from textsegment.vocabulary.language.words import read_data, read_table
from textsegment.vocabulary.tree import Tree, load_tree

EDGES = {"is-a": "is a", "part-of": "is part of"}
"""Relations of the tree, in the words in which they are learnt."""


class KnownText(NamedTuple):
    """A text that means a concept.

    Attributes:
        concept: Number of the concept.
        text: The text.
        kind: ``synonym`` or ``definition``.
        language: Two-letter code of its language; ``en`` also for codes such as TG-263's.
        source: Where it comes from: ``TextSegment``, ``SAT``, ``UBERON``, ``DICOM``, ``TG-263``.
    """

    concept: int
    text: str
    kind: str
    language: str
    source: str


class Relation(NamedTuple):
    """An edge of the tree: the numbers of two concepts, and the relation of the first to the second."""

    source: int
    edge: str
    target: int


@dataclass(frozen=True)
class Knowledge:
    """Concepts with their texts and relations.

    Attributes:
        names: Name of each concept, in lower case; all different.
        texts: Texts to learn from.
        relations: Relations to learn from.
        held_out: Synonyms that are not learnt from, but test what was learnt. Each means one concept.
    """

    names: tuple[str, ...]
    texts: tuple[KnownText, ...]
    relations: tuple[Relation, ...]
    held_out: tuple[KnownText, ...] = ()

    @classmethod
    def of_vocabulary(cls, *, held_out_share: float = 0.1) -> Knowledge:
        """Collect everything that the vocabulary knows.

        Args:
            held_out_share: Share of the synonyms to hold out; which ones depends on their texts alone.
        """
        tree = load_tree()
        names = tuple(dict.fromkeys(term.name.lower() for term in tree))
        numbers = {name: number for number, name in enumerate(names)}
        found = [*_texts_of_tree(tree, numbers), *_texts_of_lexicon(numbers), *_texts_of_tg263(numbers)]
        texts, held_out = _split(_without_repetitions(found, numbers), held_out_share)
        relations = dict.fromkeys(
            Relation(numbers[term.name.lower()], parent.relation, numbers[tree[parent.id].name.lower()])
            for term in tree
            for parent in term.parents
        )
        return cls(names, texts, tuple(each for each in relations if each.source != each.target), held_out)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the knowledge, as hexadecimal text."""
        content = json.dumps([self.names, self.texts, self.relations, self.held_out], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write one JSON object per concept: name, relations, and texts with their sources."""
        texts = defaultdict(list)
        for text in (*self.texts, *self.held_out):
            entry = {"text": text.text, "kind": text.kind, "language": text.language, "source": text.source}
            texts[text.concept].append(entry | ({"held_out": True} if text in self._held_out else {}))
        edges = defaultdict(list)
        for relation in self.relations:
            edges[relation.source].append([relation.edge, self.names[relation.target]])
        with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for number, name in enumerate(self.names):
                line = {"name": name, "relations": edges[number], "texts": texts[number]}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    @cached_property
    def _held_out(self) -> frozenset[KnownText]:
        return frozenset(self.held_out)


def _texts_of_tree(tree: Tree, numbers: dict[str, int]) -> Iterable[KnownText]:
    for term in tree:
        concept = numbers[term.name.lower()]
        for synonym in term.synonyms:
            yield KnownText(concept, synonym, "synonym", "en", term.source)
        if term.definition:
            yield KnownText(concept, term.definition, "definition", "en", term.source)


def _texts_of_lexicon(numbers: dict[str, int]) -> Iterable[KnownText]:
    for target, relation, language, phrases in read_table("lexicon.tsv"):
        if relation == "exact" and target in numbers:
            for phrase in phrases.split("; "):
                yield KnownText(numbers[target], phrase.strip(), "synonym", language, "TextSegment")


def _texts_of_tg263(numbers: dict[str, int]) -> Iterable[KnownText]:
    for name, (relation, targets) in json.loads(read_data("tg263.json"))["names"].items():
        if relation == "exact" and len(targets) == 1 and targets[0] in numbers:
            yield KnownText(numbers[targets[0]], name, "synonym", "en", "TG-263")


def _without_repetitions(texts: Iterable[KnownText], numbers: dict[str, int]) -> list[KnownText]:
    """Leave out synonyms that are names, and those that mean several concepts."""
    concepts = defaultdict(set)
    first: dict[tuple[int, str], KnownText] = {}
    for text in texts:
        key = text.text.lower()
        if key and key not in numbers:
            concepts[key].add(text.concept)
            first.setdefault((text.concept, key), text)
    return [text for (_, key), text in first.items() if len(concepts[key]) == 1]


def _split(texts: list[KnownText], share: float) -> tuple[tuple[KnownText, ...], tuple[KnownText, ...]]:
    def is_held_out(text: KnownText) -> bool:
        digest = hashlib.sha256(text.text.lower().encode()).digest()
        return text.kind == "synonym" and int.from_bytes(digest[:4], "big") < share * 2**32

    held_out = [text for text in texts if is_held_out(text)]
    return tuple(text for text in texts if not is_held_out(text)), tuple(held_out)
