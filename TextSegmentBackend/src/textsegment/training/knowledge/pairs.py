"""Random pairs of texts that mean the same, for contrastive learning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from textsegment.training.knowledge.knowledge import EDGES, Knowledge

# Relative weight of a text and of a relation of the tree, as in the published recipe.
_TEXT_WEIGHT, _RELATION_WEIGHT = 1.0, 0.5


class TextPairs(NamedTuple):
    """A batch of pairs.

    Attributes:
        first: First text of each pair.
        second: Second text of each pair.
        ids: Number of the concept that the second text means; pairs with one id must not be told apart.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    ids: np.ndarray[tuple[int], np.dtype[np.int64]]


class PairSampler:
    """Source of random pairs; what is drawn depends on seed and step alone.

    A pair is a name and another text of the same concept, in either order of languages, or it states a
    relation: (source + edge, target) or (edge + target, source), half each.

    Args:
        knowledge: What to learn.
        batch_size: Number of pairs in a batch.
        seed: Seed of the random numbers.
    """

    def __init__(self, knowledge: Knowledge, batch_size: int, seed: int) -> None:
        self._knowledge, self._batch_size, self._seed = knowledge, batch_size, seed
        self._texts: dict[int, list[str]] = defaultdict(list)
        for text in knowledge.texts:
            self._texts[text.concept].append(text.text)
        texts = _TEXT_WEIGHT * len(knowledge.texts)
        self._share_of_texts = texts / (texts + _RELATION_WEIGHT * len(knowledge.relations))

    def draw(self, step: int) -> TextPairs:
        """Return the batch of a step."""
        random = np.random.default_rng((self._seed, step))
        rows = [
            self._text_pair(random) if random.random() < self._share_of_texts else self._relation(random)
            for _ in range(self._batch_size)
        ]
        first, second, ids = zip(*rows, strict=True)
        return TextPairs(first, second, np.array(ids, dtype=np.int64))

    def _text_pair(self, random: np.random.Generator) -> tuple[str, str, int]:
        text = self._knowledge.texts[random.integers(len(self._knowledge.texts))]
        others: Sequence[str] = [self._knowledge.names[text.concept]]
        if text.kind == "synonym" and random.random() < 0.5:  # synonyms of each other, across languages
            others = [*others, *(other for other in self._texts[text.concept] if other != text.text)]
        return others[int(random.integers(len(others)))], text.text, text.concept

    def _relation(self, random: np.random.Generator) -> tuple[str, str, int]:
        names = self._knowledge.names
        source, edge, target = self._knowledge.relations[random.integers(len(self._knowledge.relations))]
        if random.random() < 0.5:
            return f"{names[source]} {EDGES[edge]}", names[target], target
        return f"{EDGES[edge]} {names[target]}", names[source], source
