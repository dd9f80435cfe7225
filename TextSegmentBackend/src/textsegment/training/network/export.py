"""Models in training as models in use, and as weights files with the card of what they learnt from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import textsegment
from textsegment.datasets.data_set import DataSet
from textsegment.inference.weights.models import LoadedModel, load_model
from textsegment.model.checkpoints import checkpoint
from textsegment.model.checkpoints.checkpoint import Checkpoint
from textsegment.model.text.embedding_table import EmbeddingCache, EmbeddingTable
from textsegment.training.network.adapters import merged
from textsegment.training.network.learner import Learner
from textsegment.training.network.prompts import Prompt


def load_start(name: str) -> Checkpoint:
    """Load the model to start from: a known name, or the path of a weights file.

    Raises:
        WeightsError: There is no such model, or it is not on this computer.
        CheckpointError: The file is damaged.
    """
    model = load_model(name)
    text = model.text_encoder
    return Checkpoint(model.network, text.encoder if isinstance(text, EmbeddingCache) else text, {})


def as_model(learner: Learner, name: str) -> LoadedModel:
    """Return the model as the engine uses it, sharing its weights unless it has adapters."""
    encoder, network = learner.text.as_encoder(), merged(learner.network)
    return LoadedModel(name, network.config, network, EmbeddingCache(encoder, name), "in training")


def card_of(sets: Sequence[DataSet], steps: int, start_from: str | None) -> dict[str, str]:
    """Return what a weights file says about its making: data with licences, steps, version."""
    licences = {name: licence for data in sets for name, licence in data.card.licences.items()}
    return {
        "trained_by": f"textsegment {textsegment.__version__}",
        "date": date.today().isoformat(),
        "steps": str(steps),
        "started_from": start_from or "random weights",
        "data": json.dumps(licences, ensure_ascii=False),
        "licence": "; ".join(sorted(set(licences.values()))) or "not stated",
    }


def export(learner: Learner, path: Path, card: dict[str, str], hidden: Iterable[Prompt] = ()) -> None:
    """Write a weights file.

    Args:
        learner: Model in training.
        path: Target file.
        card: What the file says about its making.
        hidden: Prompts that the model is not to offer.
    """
    encoder, network = learner.text.as_encoder(hidden), merged(learner.network)
    if isinstance(encoder, EmbeddingTable):
        checkpoint.save_demo(network, encoder.prompts, encoder.embeddings, path, card)
    else:
        checkpoint.save_knowledge(network, encoder, path, card)
