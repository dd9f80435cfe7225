"""The demonstration model during training: with trainable embeddings and deep supervision."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

import torch
from torch import Tensor, nn

from textsegment.errors import CheckpointError
from textsegment.model.checkpoints.checkpoint import Checkpoint
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.model.unet import ConvStage

COARSE_LEVELS = 3


def most_alike(prompt: tuple[str, str], others: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return the one of several prompts whose name is most similar to that of a given prompt."""
    return max(others, key=lambda other: SequenceMatcher(None, other[0], prompt[0]).ratio())


class DemoModel(nn.Module):
    """Network with one trainable embedding for each (structure, modality), and heads for deep supervision.

    The heads take the decoder stages at 1/2, 1/4 and 1/8 of the resolution; they help to learn locations and
    are not exported.
    """

    def __init__(self, config: SATConfig, prompts: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.network = SAT(config)
        self.embeddings = nn.Parameter(torch.randn(len(prompts), config.width))
        self.coarse_heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(config.width, config.mask_hidden),
                nn.GELU(),
                nn.Linear(config.mask_hidden, channels),
            )
            for channels in config.features[1 : 1 + COARSE_LEVELS]
        )
        self._rows = {prompt: row for row, prompt in enumerate(prompts)}
        self._start_as_background()

    def _start_as_background(self) -> None:
        # Mask embeddings end in a GELU, which never falls below -0.17, so only large features can express
        # absence. Starting with such features saves the first thousand steps.
        last_linear, last_stage = self.network.mask_embed_proj[2], self.network.backbone.decoder.stages[-1]
        assert isinstance(last_linear, nn.Linear)
        assert isinstance(last_stage, ConvStage)
        last_norm = last_stage.convs[-1].norm
        assert isinstance(last_norm, nn.InstanceNorm3d)
        nn.init.normal_(last_linear.weight, std=0.1)
        nn.init.constant_(last_linear.bias, -0.5)
        nn.init.constant_(last_norm.weight, 10.0)

    @torch.no_grad()
    def start_from(self, checkpoint: Checkpoint) -> None:
        """Initialise network and embeddings from a trained model.

        A prompt that is not in its table starts from the embedding of the prompt with the most similar name.

        Raises:
            CheckpointError: The architecture differs, or the model has no table of embeddings.
        """
        table = checkpoint.text_encoder
        if checkpoint.network.config != self.network.config or not isinstance(table, EmbeddingTable):
            raise CheckpointError("Training can go on from a model of the same architecture only.")
        self.network.load_state_dict(checkpoint.network.state_dict())
        known = {prompt: table.embeddings[row] for row, prompt in enumerate(table.prompts)}
        for prompt, row in self._rows.items():
            alike = [other for other in known if other[1] == prompt[1]] or list(known)
            nearest = prompt if prompt in known else most_alike(prompt, alike)
            noise = 0.0 if prompt in known else 0.1
            self.embeddings[row] = known[nearest] + noise * torch.randn(table.embeddings.shape[1])

    @torch.no_grad()
    def copy_embedding(self, source: tuple[str, str], target: tuple[str, str], *, noise: float) -> None:
        """Overwrite the embedding of ``target`` with that of ``source`` plus Gaussian noise.

        Args:
            source: Prompt to copy from, as (structure, modality).
            target: Prompt to overwrite, as (structure, modality).
            noise: Standard deviation of the noise.
        """
        embedding = self.embeddings[self._rows[source]]
        self.embeddings[self._rows[target]] = embedding + noise * torch.randn_like(embedding)

    def forward(self, patch: Tensor, structures: list[str], modality: str) -> list[tuple[Tensor, Tensor]]:
        """Return the features (C, h, w, d) and mask embeddings (N, C) at each resolution, finest first."""
        features, coarse = self.network.encode_image_deeply(patch)
        queries = self.embeddings[[self._rows[name, modality] for name in structures]]
        with torch.autocast(patch.device.type, enabled=False):
            decoded = self.network.decode(features._replace(tokens=features.tokens.float()), queries)
            levels = [(features.pixel_features, self.network.mask_embed_proj(decoded))]
            for head, stage in zip(self.coarse_heads, reversed(coarse), strict=False):
                levels.append((stage[0], head(decoded)))
        return levels
