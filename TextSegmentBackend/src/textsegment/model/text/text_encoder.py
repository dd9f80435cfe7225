"""Text encoders, which turn prompts into query embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from textsegment.errors import ModalityError
from textsegment.model.config import MODALITY_INDEX
from textsegment.model.text.mpnet import MPNet, MPNetConfig
from textsegment.model.text.tokenizer import WordPieces, published_pieces

PROMPTS_AT_ONCE = 64
"""Number of prompts encoded at once, which limits the memory of a call."""


class TextEncoder(Protocol):
    """Interface that the engine requires of a text encoder."""

    @property
    def width(self) -> int:
        """Number of channels of an embedding."""

    def encode(self, prompts: Sequence[str], modality: str) -> Tensor:
        """Embed prompts.

        Args:
            prompts: Exact prompts of the model; case is ignored.
            modality: DICOM code of the modality of the image: ``CT``, ``MR``, ``US`` or ``PT``.

        Returns:
            float32 (N, width) on the CPU, rows in the order of ``prompts``.

        Raises:
            ModalityError: The model does not support the modality.
            UnknownStructureError: The model cannot embed one of the prompts.
        """

    def supported(self, modality: str) -> tuple[str, ...] | None:
        """Return the prompts that can be embedded for a modality; ``None`` if any text can."""


def modality_index(modality: str) -> int:
    """Return the row of the modality embedding for a DICOM modality.

    Raises:
        ModalityError: SAT was not trained on the modality.
    """
    if modality not in MODALITY_INDEX:
        known = ", ".join(MODALITY_INDEX)
        raise ModalityError(f"The modality {modality!r} is not supported.", f"Choose one of {known}.")
    return MODALITY_INDEX[modality]


class KnowledgeEncoder(nn.Module):
    """SAT's own text encoder: MPNet in the layout of BioLORD, projection, modality embedding.

    Args:
        config: Size of the transformer.
        pieces: Tokenizer; by default that of the published encoder.
    """

    def __init__(self, config: MPNetConfig, pieces: WordPieces | None = None) -> None:
        super().__init__()
        self.pieces = pieces or published_pieces()
        width = config.width
        self.config = config
        self.mpnet = MPNet(config)
        self.projection_layer = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.modality_embed = nn.Embedding(len(MODALITY_INDEX), width)

    @property
    def width(self) -> int:
        """Number of channels of an embedding."""
        return self.config.width

    def supported(self, modality: str) -> tuple[str, ...] | None:
        """Return None, since any text can be embedded."""
        modality_index(modality)
        return None

    @torch.no_grad()
    def encode(self, prompts: Sequence[str], modality: str) -> Tensor:
        """Embed prompts; see :meth:`TextEncoder.encode`."""
        index = modality_index(modality)
        parts = [
            self(*self.pieces.encode(prompts[start : start + PROMPTS_AT_ONCE]), index)
            for start in range(0, len(prompts), PROMPTS_AT_ONCE)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self.width)

    def forward(self, ids: Tensor, mask: Tensor, index: int) -> Tensor:
        """Map tokens (N, T) to queries (N, width) on the CPU for one row of the modality embedding."""
        queries: Tensor = self.projection_layer(self.pooled(ids, mask)) + self.modality_embed.weight[index]
        return queries.float().cpu()

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Map tokens (N, T) to the means of their hidden states, (N, width), before the projection."""
        device = self.modality_embed.weight.device
        ids, mask = ids.to(device), mask.to(device)
        hidden = self.mpnet(ids, mask)  # (N, T, W)
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        # Never divided by zero: start and end are always present.
        mean: Tensor = (hidden * weight).sum(1) / weight.sum(1)
        return mean
