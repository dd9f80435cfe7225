"""MPNet encoder (arXiv 2004.09297): a BERT-like transformer with one shared table of relative positions.

Limited to what inference needs: no dropout and no pooler.
Shapes in comments: N prompts, T tokens, W channels, H heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIRST_POSITION = 2
"""First row used in the table of absolute positions; MPNet reserves rows 0 and 1 for its own padding."""

FARTHEST = 128
"""Distance in tokens beyond which all relative positions share the last bucket."""


@dataclass(frozen=True)
class MPNetConfig:
    """Size of the transformer; the defaults are those of BioLORD-2023-C.

    Attributes:
        width: Number of channels of a token.
        layers: Number of transformer layers.
        heads: Number of attention heads.
        feed_forward: Number of hidden channels in the feed-forward blocks.
        positions: Number of rows in the table of absolute positions, including the two unused ones.
        vocabulary: Number of rows in the table of word pieces.
        buckets: Number of rows in the table of relative positions.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    positions: int = 514
    vocabulary: int = 30527
    buckets: int = 32


def relative_position_bucket(distance: Tensor, buckets: int) -> Tensor:
    """Sort signed distances between tokens into buckets (T5, arXiv 1910.10683, section 2.1).

    Half of the buckets are for tokens ahead. In each half, small distances have one bucket each, and larger
    ones share buckets that widen logarithmically up to a distance of 128.

    Args:
        distance: Position of the key minus position of the query, int64.
        buckets: Number of buckets.

    Returns:
        Bucket of each distance, 0 to ``buckets - 1``, int64 of the same shape.
    """
    half = buckets // 2
    exact = half // 2
    magnitude = distance.abs()
    octaves = torch.log(magnitude.clamp(min=1).float() / exact) / math.log(FARTHEST / exact)
    shared = (exact + (octaves * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(magnitude < exact, magnitude, shared) + half * (distance > 0)


class Layer(nn.Module):
    """Self-attention and feed-forward blocks, each followed by a residual connection and a norm."""

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.attention_norm = nn.LayerNorm(width, eps=1e-5)
        self.expand = nn.Linear(width, config.feed_forward)
        self.contract = nn.Linear(config.feed_forward, width)
        self.output_norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Map tokens (N, T, W); ``bias`` (N, H, T, T) is added to the attention scores."""
        attended = F.scaled_dot_product_attention(  # (N, H, T, W / H)
            self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x)), attn_mask=bias
        )
        x = self.attention_norm(x + self.out(attended.transpose(1, 2).flatten(2)))
        out: Tensor = self.output_norm(x + self.contract(F.gelu(self.expand(x))))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class MPNet(nn.Module):
    """MPNet encoder from word pieces to hidden states."""

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__()
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocabulary, config.width)
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.embedding_norm = nn.LayerNorm(config.width, eps=1e-5)
        self.relative_bias = nn.Embedding(config.buckets, config.heads)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Encode token ids.

        Args:
            ids: Token ids, int64 (N, T), with T at most ``positions - 2``.
            mask: Mask of tokens, bool (N, T), false for padding.

        Returns:
            Hidden states (N, T, W); those of padding are meaningless.
        """
        position = torch.arange(ids.shape[1], device=ids.device)
        x: Tensor = self.word_embeddings(ids) + self.position_embeddings(position + FIRST_POSITION)
        x = self.embedding_norm(x)
        bucket = relative_position_bucket(position[None, :] - position[:, None], self.config.buckets)
        bias = self.relative_bias(bucket).permute(2, 0, 1)  # (H, T, T)
        bias = bias.masked_fill(~mask[:, None, None, :], torch.finfo(x.dtype).min)  # (N, H, T, T)
        for layer in self.layers:
            x = layer(x, bias)
        return x
