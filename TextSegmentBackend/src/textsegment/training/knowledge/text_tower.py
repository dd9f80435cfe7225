"""The text encoder in training: its sizes, its word pieces and its learnt temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.model.text.tokenizer import MAX_TOKENS, WordPieces, published_pieces
from textsegment.training.knowledge.knowledge import Knowledge

FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0
_WINDOW_SHARE = 0.5
_TOGETHER = 64

SIZES = {
    "words": MPNetConfig(width=64, layers=0, heads=4, feed_forward=8, positions=66),
    "toy": MPNetConfig(width=48, layers=1, heads=4, feed_forward=96, positions=66),
    "demo": MPNetConfig(width=192, layers=2, heads=6, feed_forward=384, positions=66),
    "published": MPNetConfig(),
}
"""Sizes by name.

``words`` averages word pieces without a transformer, ``toy`` is for tests, ``demo`` has the width of
sat-demo, ``published`` is as BioLORD-2023-C.
"""


def pieces_of(knowledge: Knowledge) -> WordPieces:
    """Return a small vocabulary: the published pieces that the knowledge needs, and all single characters.

    Texts that were never seen are split into smaller pieces instead of being unknown.
    """
    published = published_pieces()
    seen = {number for row in published.ids(knowledge.names) for number in row}
    seen |= {number for row in published.ids([text.text for text in knowledge.texts]) for number in row}
    # The first piece pads and is never used.
    kept = [
        piece
        for number, piece in enumerate(published.pieces)
        if number == 0
        or number in seen
        or piece in ("[CLS]", "[SEP]", "[UNK]")
        or len(piece.removeprefix("##")) == 1
    ]
    return WordPieces(kept)


class TextTower(nn.Module):
    """Text encoder with the temperature of its loss.

    Args:
        encoder: Encoder to train.
    """

    def __init__(self, encoder: KnowledgeEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @classmethod
    def new(cls, size: MPNetConfig, pieces: WordPieces, seed: int) -> TextTower:
        """Return a tower with random weights, drawn as for BERT: normal with a deviation of 0.02."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = MPNetConfig(
                size.width,
                size.layers,
                size.heads,
                size.feed_forward,
                size.positions,
                len(pieces.pieces),
                size.buckets,
            )
            tower = cls(KnowledgeEncoder(config, pieces))
            for module in tower.modules():
                if isinstance(module, nn.Linear | nn.Embedding):
                    nn.init.normal_(module.weight, std=0.02)
                if isinstance(module, nn.Linear):
                    nn.init.zeros_(module.bias)
            for layer in tower.encoder.projection_layer:
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=config.width**-0.5)
        return tower

    @property
    def scale(self) -> Tensor:
        """Factor of the similarities: exp of the temperature, at most 100."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    @property
    def most_pieces(self) -> int:
        """Number of pieces of a text that the encoder can take, without start and end."""
        return min(MAX_TOKENS, self.encoder.config.positions - 2) - 2

    def features(self, texts: Sequence[str], random: np.random.Generator | None = None) -> Tensor:
        """Return ``pooled`` features, L2-normalised, (N, width)."""
        return F.normalize(self.pooled(texts, random), dim=1)

    def pooled(self, texts: Sequence[str], random: np.random.Generator | None = None) -> Tensor:
        """Return features before the projection, (N, width).

        Args:
            texts: Texts; case is ignored.
            random: Random numbers for the windows of longer texts, half of which are taken at random; None to
                take their beginnings.
        """
        rows = [self._window(row, random) for row in self.encoder.pieces.ids(texts)]
        # Texts of similar length together, so that little is computed for padding.
        order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
        chunks = [order[start : start + _TOGETHER] for start in range(0, len(order), _TOGETHER)]
        pieces = self.encoder.pieces
        parts = [self.encoder.pooled(*pieces.enclosed([rows[n] for n in chunk])) for chunk in chunks]
        return torch.cat(parts)[torch.tensor(order).argsort()]

    def _window(self, row: list[int], random: np.random.Generator | None) -> list[int]:
        spare = len(row) - self.most_pieces
        if spare <= 0 or random is None or random.random() >= _WINDOW_SHARE:
            return row[: self.most_pieces]
        start = int(random.integers(spare + 1))
        return row[start : start + self.most_pieces]

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return features before the projection, L2-normalised, on the CPU, without gradients."""
        return self.features(texts).cpu()
