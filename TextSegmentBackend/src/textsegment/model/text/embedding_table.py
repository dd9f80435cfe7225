"""Embeddings without a transformer: a precomputed table, and a cache of computed embeddings."""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from textsegment.errors import CheckpointError, UnknownStructureError
from textsegment.model.text.text_encoder import TextEncoder, modality_index

MAX_SUGGESTIONS = 3


class EmbeddingTable:
    """Text encoder with precomputed embeddings for a fixed list of prompts."""

    def __init__(self, prompts: Sequence[tuple[str, str]], embeddings: Tensor) -> None:
        """Build the table.

        Args:
            prompts: Pair of (prompt, DICOM modality) for each row.
            embeddings: Embeddings of the prompts, (N, width), of any floating-point type.

        Raises:
            CheckpointError: The numbers of rows and prompts differ, or a prompt occurs twice.
        """
        self.embeddings = embeddings.float().cpu()
        self._rows = {(prompt.lower(), modality): row for row, (prompt, modality) in enumerate(prompts)}
        if embeddings.ndim != 2 or not len(self._rows) == len(prompts) == len(embeddings):
            raise CheckpointError(
                f"The table of embeddings has the shape {tuple(embeddings.shape)} for {len(self._rows)} "
                f"different prompts."
            )

    @property
    def width(self) -> int:
        """Number of channels of an embedding."""
        return self.embeddings.shape[1]

    @property
    def prompts(self) -> tuple[tuple[str, str], ...]:
        """Pair of (prompt, modality) for each row."""
        return tuple(self._rows)

    def supported(self, modality: str) -> tuple[str, ...]:
        """Return the prompts of the table for a modality, in order of rows."""
        modality_index(modality)
        return tuple(prompt for prompt, of in self._rows if of == modality)

    def encode(self, prompts: Sequence[str], modality: str) -> Tensor:
        """Look up the embeddings of prompts; see :meth:`TextEncoder.encode`."""
        modality_index(modality)
        rows = [self._rows.get((prompt.lower(), modality)) for prompt in prompts]
        known = [row for row in rows if row is not None]
        if len(known) < len(rows):
            raise self._unknown(prompts[rows.index(None)], modality)
        return self.embeddings[known]

    def _unknown(self, prompt: str, modality: str) -> UnknownStructureError:
        names = self.supported(modality)
        if not names:
            known = ", ".join(sorted({of for _, of in self._rows}))
            return UnknownStructureError(
                f"This model knows no structures in {modality} images.", f"It knows some in {known} images."
            )
        near = difflib.get_close_matches(prompt.lower(), names, MAX_SUGGESTIONS)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"It knows {len(names)} others."
        message = f"This model does not know {prompt!r} in {modality} images."
        return UnknownStructureError(message, hint, tuple(near))


class EmbeddingCache:
    """Least-recently-used cache around another text encoder.

    It is thread-safe: concurrent calls may compute a prompt twice, but never wrongly.
    """

    def __init__(self, encoder: TextEncoder, model: str, capacity: int = 4096) -> None:
        """Wrap a text encoder.

        Args:
            encoder: Text encoder that computes the embeddings.
            model: Identifier of its weights, part of every key.
            capacity: Maximum number of embeddings to keep; 4096 with 768 channels take 12 MB.
        """
        self.encoder = encoder
        self._model = model
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str, str], Tensor] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def width(self) -> int:
        """Number of channels of an embedding."""
        return self.encoder.width

    def supported(self, modality: str) -> tuple[str, ...] | None:
        """Return the prompts that the wrapped encoder supports."""
        return self.encoder.supported(modality)

    def encode(self, prompts: Sequence[str], modality: str) -> Tensor:
        """Embed prompts, computing only those not in the cache; see :meth:`TextEncoder.encode`."""
        wanted = [prompt.lower() for prompt in prompts]
        with self._lock:
            found = {prompt: self._recall(prompt, modality) for prompt in wanted}
        new = [prompt for prompt, embedding in found.items() if embedding is None]
        if new:
            computed = self.encoder.encode(new, modality)
            with self._lock:
                for prompt, row in zip(new, computed.unbind(), strict=True):
                    found[prompt] = row
                    self._remember(prompt, modality, row)
        rows = [embedding for prompt in wanted if (embedding := found[prompt]) is not None]
        return torch.stack(rows) if rows else self.encoder.encode((), modality)

    def _recall(self, prompt: str, modality: str) -> Tensor | None:
        key = (self._model, prompt, modality)
        if key not in self._known:
            return None
        self._known.move_to_end(key)
        return self._known[key]

    def _remember(self, prompt: str, modality: str, embedding: Tensor) -> None:
        self._known[self._model, prompt, modality] = embedding.clone()
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
