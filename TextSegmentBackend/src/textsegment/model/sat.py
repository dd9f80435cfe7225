"""SAT, Segment Anything with Text (arXiv 2312.17183), as one PyTorch module.

    patch   (1, 1, h, w, d) ── UNet ─┬─ pixel_features (C, h, w, d) ───────────────────┐
                                     └─ latents → tokens (T, width) ─┐                 ├─ logits (N, h, w, d)
    queries (N, width) ─────────────────────────────── QueryDecoder ─┴─ mask_embedding ┘
                                                                        (N, C)
The U-Net never sees the text: ``encode_image`` runs once per patch, the rest once per prompt.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from textsegment.model.config import SATConfig
from textsegment.model.position import position_encoding
from textsegment.model.query_decoder import QueryDecoder
from textsegment.model.slabs import mean_of_blocks
from textsegment.model.unet import IMAGE_CHANNELS, UNet


class PatchFeatures(NamedTuple):
    """Features of a patch, which depend on its voxels alone.

    Attributes:
        tokens: (T, width), one row per voxel of the bottleneck grid, in C order of (h, w, d).
        grid: Number of tokens along h, w, d; the product is T.
        pixel_features: Per-voxel features at full resolution, (C, h, w, d).
    """

    tokens: Tensor
    grid: tuple[int, int, int]
    pixel_features: Tensor


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    # The published networks have a GELU after the last layer too, for tokens and for mask embeddings.
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs), nn.GELU())


class SAT(nn.Module):
    """Network of a given configuration, with random weights until others are loaded."""

    def __init__(self, config: SATConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = UNet(config.features, config.encoder_convs, config.decoder_convs)
        self.projection_layer = _two_layers(config.latent_channels, config.projection_hidden, config.width)
        self.transformer_decoder = QueryDecoder(
            config.width, config.heads, config.feed_forward, config.layers
        )
        self.mask_embed_proj = _two_layers(config.width, config.mask_hidden, config.features[0])

    def encode_image(self, patch: Tensor) -> PatchFeatures:
        """Run the U-Net on one patch.

        Args:
            patch: Normalised voxels (1, 1, h, w, d); h, w, d are multiples of 32 and span at least two voxels
                of the bottleneck, since instance statistics of a single voxel do not exist.
        """
        latents = self._latents(patch)
        tokens, grid = self._tokens(latents)
        pixel_features = self.backbone.decoder(latents)
        return PatchFeatures(tokens, grid, pixel_features[0])

    def encode_image_deeply(self, patch: Tensor) -> tuple[PatchFeatures, list[Tensor]]:
        """Run the U-Net like ``encode_image``, and also return the features of each coarser decoder stage.

        They serve deep supervision in training and have shape (1, C_s, h/2^s, w/2^s, d/2^s), deepest first.
        """
        latents = self._latents(patch)
        tokens, grid = self._tokens(latents)
        *coarser, finest = self.backbone.decoder.each_stage(latents)
        return PatchFeatures(tokens, grid, finest[0]), coarser

    def _latents(self, patch: Tensor) -> list[Tensor]:
        latents: list[Tensor] = self.backbone.encoder(patch.expand(-1, IMAGE_CHANNELS, -1, -1, -1))
        return latents

    def _tokens(self, latents: list[Tensor]) -> tuple[Tensor, tuple[int, int, int]]:
        deepest = len(latents) - 1
        pooled = [mean_of_blocks(x, 2 ** (deepest - s)) for s, x in enumerate(latents)]
        stacked = torch.cat(pooled, dim=1)[0]  # (ΣC_s, h/32, w/32, d/32)
        h, w, d = stacked.shape[1:]
        return self.projection_layer(stacked.flatten(1).T), (h, w, d)

    def decode(self, features: PatchFeatures, queries: Tensor) -> Tensor:
        """Let queries (N, width) attend to the tokens of one patch; returns the same shape."""
        position = position_encoding(features.grid, self.config.width).to(features.tokens)
        out: Tensor = self.transformer_decoder(queries, features.tokens, position)
        return out

    def mask_embeddings(self, features: PatchFeatures, queries: Tensor) -> Tensor:
        """Turn queries (N, width) into mask embeddings (N, C) for one patch."""
        out: Tensor = self.mask_embed_proj(self.decode(features, queries))
        return out

    @staticmethod
    def logits(pixel_features: Tensor, mask_embeddings: Tensor) -> Tensor:
        """Return the dot product over channels of (C, h, w, d) and (N, C), with shape (N, h, w, d)."""
        return torch.einsum("nc,chwd->nhwd", mask_embeddings, pixel_features)

    def forward(self, patch: Tensor, queries: Tensor) -> Tensor:
        """Map a patch (1, 1, h, w, d) and queries (N, width) to logits (N, h, w, d)."""
        features = self.encode_image(patch)
        return self.logits(features.pixel_features, self.mask_embeddings(features, queries))
