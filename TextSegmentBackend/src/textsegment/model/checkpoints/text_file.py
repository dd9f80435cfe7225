"""File of a text encoder alone: one safetensors file with its weights, its size and its word pieces.

The metadata holds ``format`` (``textsegment-text``), ``format_version``, ``text_config`` (JSON of the
:class:`MPNetConfig`), ``pieces`` (JSON list of all word pieces, in the order of their ids) and ``source``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from textsegment.errors import CheckpointError
from textsegment.model.checkpoints.strict_load import assign
from textsegment.model.checkpoints.writing import write_weights
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.model.text.tokenizer import WordPieces

FORMAT, FORMAT_VERSION = "textsegment-text", "1"


def save_text_encoder(encoder: KnowledgeEncoder, path: Path, source: Mapping[str, str]) -> None:
    """Write a text encoder in float16.

    Args:
        encoder: Encoder to write.
        path: Target file, replaced if it exists.
        source: Origin of the weights: what they were trained on, and how.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The file cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "text_config": json.dumps(asdict(encoder.config)),
        "pieces": json.dumps(encoder.pieces.pieces, ensure_ascii=False),
        "source": json.dumps(dict(source)),
    }
    tensors = {
        name: tensor.detach().to("cpu", torch.float16) for name, tensor in encoder.state_dict().items()
    }
    write_weights(tensors, metadata, path)


def load_text_encoder(path: Path) -> KnowledgeEncoder:
    """Read a text encoder, in float32, without gradients.

    Raises:
        CheckpointError: The file is damaged or is no text encoder.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no mapping
        if (metadata["format"], metadata["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise KeyError("format")
        config = MPNetConfig(**json.loads(metadata["text_config"]))
        pieces = WordPieces(json.loads(metadata["pieces"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path.name} is damaged, or no text encoder.", "Make one with `textsegment train-text`."
        ) from error
    with torch.device("meta"):
        encoder = KnowledgeEncoder(config, pieces)
    assign(encoder, tensors)
    return encoder.eval().requires_grad_(False)
