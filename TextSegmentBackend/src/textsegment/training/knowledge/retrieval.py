"""How well an encoder finds the concept that a text means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textsegment.training.knowledge.knowledge import Knowledge, KnownText

Embed = Callable[[Sequence[str]], Tensor]
"""Function from texts to L2-normalised features, (N, width)."""


@dataclass(frozen=True)
class Retrieval:
    """Ranks of the right concepts among all concepts, by the similarity of their names to texts.

    Attributes:
        recall_at_1: Share of the texts whose concept comes first.
        recall_at_5: Share of the texts whose concept is among the first five.
        recall_at_10: Share of the texts whose concept is among the first ten.
        mean_rank: Mean rank, counted from 1.
        median_rank: Median rank.
        texts: Number of texts.
        bank: Number of concepts.
    """

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mean_rank: float
    median_rank: float
    texts: int
    bank: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-compatible values."""
        return {
            key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()
        }


def retrieve(embed: Embed, knowledge: Knowledge, texts: Sequence[KnownText]) -> Retrieval:
    """Rank all concepts for each text.

    Equal similarities count against the right concept, so that an encoder that tells nothing apart scores 0.

    Args:
        embed: Encoder.
        knowledge: Concepts; the bank holds their names.
        texts: At least one text of known meaning.
    """
    bank = embed(knowledge.names)
    ranks = []
    for start in range(0, len(texts), 256):
        part = texts[start : start + 256]
        similarity = embed([text.text for text in part]) @ bank.T
        own = similarity.gather(1, torch.tensor([[text.concept] for text in part]))
        ranks.append((similarity >= own).sum(1).numpy())
    found = np.concatenate(ranks)
    at_1, at_5, at_10 = (float((found <= k).mean()) for k in (1, 5, 10))
    median = float(np.median(found))
    return Retrieval(at_1, at_5, at_10, float(found.mean()), median, len(found), len(knowledge.names))


def retrieve_by_language(embed: Embed, knowledge: Knowledge) -> dict[str, Retrieval]:
    """Rank all concepts for the held-out synonyms: all of them, English, and other languages."""
    groups = {
        "all": knowledge.held_out,
        "english": [text for text in knowledge.held_out if text.language == "en"],
        "other languages": [text for text in knowledge.held_out if text.language != "en"],
    }
    return {name: retrieve(embed, knowledge, texts) for name, texts in groups.items() if texts}
