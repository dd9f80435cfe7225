"""Query decoder: prompts attend to the image, never to each other.

Pre-norm transformer decoder layers without self-attention, so that the mask of a prompt does not depend on
the other prompts. Parameter names are those of the published checkpoints (the layout of torch's attention).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Multi-head attention from queries to tokens, with the parameter layout of ``nn.MultiheadAttention``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))  # rows: query, key, value
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Compute the attention.

        Args:
            query: (N, width), one row per prompt.
            key: (T, width), one row per token.
            value: (T, width), one row per token.

        Returns:
            Attended values, (N, width).
        """
        w_query, w_key, w_value = self.in_proj_weight.chunk(3)
        b_query, b_key, b_value = self.in_proj_bias.chunk(3)
        attended = F.scaled_dot_product_attention(  # (1, heads, N, width / heads)
            self._split(F.linear(query, w_query, b_query)),
            self._split(F.linear(key, w_key, b_key)),
            self._split(F.linear(value, w_value, b_value)),
        )
        out: Tensor = self.out_proj(attended[0].transpose(0, 1).flatten(1))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.heads, -1).transpose(0, 1).unsqueeze(0)


class QueryDecoderLayer(nn.Module):
    """Cross-attention and feed-forward blocks, each with a preceding norm and a residual connection."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.multihead_attn = CrossAttention(width, heads)
        self.linear1 = nn.Linear(width, feed_forward)
        self.linear2 = nn.Linear(feed_forward, width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Refine queries (N, width) using the keys and values (T, width) of tokens."""
        query = query + self.multihead_attn(self.norm2(query), key, value)
        hidden = F.relu(self.linear1(self.norm3(query)))
        refined: Tensor = query + self.linear2(hidden)
        return refined


class QueryDecoder(nn.Module):
    """Stack of decoder layers with a final norm."""

    def __init__(self, width: int, heads: int, feed_forward: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(QueryDecoderLayer(width, heads, feed_forward) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, queries: Tensor, tokens: Tensor, position: Tensor) -> Tensor:
        """Refine queries (N, width) using tokens (T, width), with ``position`` (T, width) added to keys."""
        key = tokens + position
        for layer in self.layers:
            queries = layer(queries, key, tokens)
        out: Tensor = self.norm(queries)
        return out
