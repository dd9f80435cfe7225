"""How a run begins: the model, what it starts from, and whether the sets fit it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textsegment.datasets.data_set import DataSet
from textsegment.errors import InputError
from textsegment.model.checkpoints.checkpoint import Checkpoint
from textsegment.model.config import SATConfig
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.training.network.learner import Learner
from textsegment.training.network.prompts import FrozenText, Prompt, PromptTable, table_of


def make_learner(config: SATConfig, sets: Sequence[DataSet], start: Checkpoint | None) -> Learner:
    """Return a model to train: from trained weights, or from random ones.

    Raises:
        InputError: The architecture has a text encoder, and the start has none; or there is nothing to learn.
        CheckpointError: The weights to start from are of another architecture.
    """
    learner = Learner(config, _text(config, sets, start))
    if start is None:
        learner.start_as_background()
    else:
        learner.start_from(start)
    return learner


def _text(config: SATConfig, sets: Sequence[DataSet], start: Checkpoint | None) -> PromptTable | FrozenText:
    if config.text_encoder == "knowledge":
        if start is None or not isinstance(start.text_encoder, KnowledgeEncoder):
            raise InputError(
                f"{config.name} needs a trained text encoder.",
                "Give weights that have one, as --from sat-nano.",
            )
        return FrozenText(start.text_encoder)
    prompts = [(name, case.modality) for data in sets for case in data for name in case.record.annotated]
    if start is not None and isinstance(start.text_encoder, EmbeddingTable):
        prompts += start.text_encoder.prompts  # what the model knew it still knows
    return table_of(prompts, config.width)


def known_to(start: Checkpoint | None) -> frozenset[Prompt] | None:
    """Return the prompts that a model knows; None if it knows any text, or there is no model."""
    if start is None or not isinstance(start.text_encoder, EmbeddingTable):
        return None
    return frozenset(start.text_encoder.prompts)


def require_grid(data: DataSet, config: SATConfig) -> None:
    """Refuse a set that was prepared for another grid than that of the model.

    Raises:
        InputError: The voxel sizes differ.
    """
    if not np.allclose(data.card.spacing, config.spacing):
        grid, ours = (" × ".join(f"{size:g}" for size in s) for s in (data.card.spacing, config.spacing))
        raise InputError(
            f"The set {data.folder.name} is on a grid of {grid} mm, the model is on one of {ours} mm.",
            f"Prepare it with --model {config.name}, or a model of that grid.",
        )
