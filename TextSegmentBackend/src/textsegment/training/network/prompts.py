"""How names become queries of a model in training: a table, or a frozen text encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

import torch
from torch import Tensor, nn

from textsegment.errors import InputError
from textsegment.model.config import MODALITY_INDEX
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.model.text.text_encoder import KnowledgeEncoder, TextEncoder

Prompt = tuple[str, str]
"""Structure and modality."""


def most_alike(prompt: Prompt, others: Iterable[Prompt]) -> Prompt:
    """Return the one of several prompts whose name is most similar to that of a given prompt."""
    return max(others, key=lambda other: SequenceMatcher(None, other[0], prompt[0]).ratio())


class PromptTable(nn.Module):
    """One trainable embedding for each (structure, modality)."""

    def __init__(self, prompts: Sequence[Prompt], width: int) -> None:
        super().__init__()
        self.prompts = tuple(prompts)
        self.embeddings = nn.Parameter(torch.randn(len(self.prompts), width))
        self._rows = {prompt: row for row, prompt in enumerate(self.prompts)}

    def forward(self, structures: Sequence[str], modality: str) -> Tensor:
        """Return queries (N, width)."""
        return self.embeddings[[self._rows[name, modality] for name in structures]]

    @torch.no_grad()
    def start_from(self, encoder: TextEncoder) -> None:
        """Take the embeddings of a trained model; an unknown prompt starts from the most similar name."""
        if not isinstance(encoder, EmbeddingTable):
            for modality in {modality for _, modality in self.prompts}:
                names = [name for name, of in self.prompts if of == modality]
                for name, row in zip(names, encoder.encode(names, modality), strict=True):
                    self.embeddings[self._rows[name, modality]] = row
            return
        known = {prompt: encoder.embeddings[row] for row, prompt in enumerate(encoder.prompts)}
        for prompt, row in self._rows.items():
            alike = [other for other in known if other[1] == prompt[1]] or list(known)
            nearest = prompt if prompt in known else most_alike(prompt, alike)
            noise = 0.0 if prompt in known else 0.1
            self.embeddings[row] = known[nearest] + noise * torch.randn(encoder.width)

    @torch.no_grad()
    def copy(self, source: Prompt, target: Prompt, *, noise: float) -> None:
        """Overwrite the embedding of a prompt with that of another one plus Gaussian noise."""
        embedding = self.embeddings[self._rows[source]]
        self.embeddings[self._rows[target]] = embedding + noise * torch.randn_like(embedding)

    def as_encoder(self, hidden: Iterable[Prompt] = ()) -> EmbeddingTable:
        """Return the table as the text encoder of an exported model, without some prompts."""
        left = set(hidden)
        rows = [row for row, prompt in enumerate(self.prompts) if prompt not in left]
        return EmbeddingTable([self.prompts[row] for row in rows], self.embeddings.detach()[rows])


class FrozenText(nn.Module):
    """SAT's text encoder, frozen, with a modality embedding that learns.

    Each name is encoded once: only the modality embedding changes.
    """

    def __init__(self, encoder: KnowledgeEncoder) -> None:
        super().__init__()
        self._encoder = [encoder.eval().requires_grad_(False)]  # in a list: no parameters of this module
        self.modality_embed = nn.Parameter(encoder.modality_embed.weight.detach().clone())
        self._start = encoder.modality_embed.weight.detach().clone()
        self._texts: dict[str, Tensor] = {}

    def forward(self, structures: Sequence[str], modality: str) -> Tensor:
        """Return queries (N, width)."""
        index = MODALITY_INDEX[modality]
        new = [name for name in structures if name not in self._texts]
        if new:
            rows = self._encoder[0].encode(new, modality) - self._start[index].cpu()
            self._texts |= dict(zip(new, rows, strict=True))
        texts = torch.stack([self._texts[name] for name in structures])
        return texts.to(self.modality_embed) + self.modality_embed[index]

    @torch.no_grad()
    def as_encoder(self, hidden: Iterable[Prompt] = ()) -> KnowledgeEncoder:
        """Return the text encoder of an exported model."""
        encoder = self._encoder[0]
        encoder.modality_embed.weight.copy_(self.modality_embed)
        return encoder


def table_of(prompts: Iterable[Prompt], width: int) -> PromptTable:
    """Return a table for the prompts of some sets.

    Raises:
        InputError: There are none.
    """
    unique = sorted(set(prompts), key=lambda prompt: (prompt[1], prompt[0]))
    if not unique:
        raise InputError("The sets have no structures to learn.", "Check how their names were understood.")
    return PromptTable(unique, width)
