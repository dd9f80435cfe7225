"""TextSegment's weights file: one safetensors file per model with both network and text encoder.

Tensor names start with ``network.`` (:class:`SAT`) and ``text.`` (:class:`KnowledgeEncoder`) or ``table.``
(the single tensor ``table.embeddings``). The metadata describes how to build the modules, so that a file can
be read without knowing the model:

* ``format``: ``textsegment-model``; ``format_version``: ``1``;
* ``name``, ``config``: name and JSON of the :class:`SATConfig`;
* ``text_config``: JSON of the :class:`MPNetConfig`, or ``prompts``: JSON ``[[prompt, modality], …]``, one
  pair per row;
* ``pieces``: JSON list of the word pieces of the text encoder, if they are not those of the published one;
* ``source``: JSON about the origin of the weights, such as the SHA-256 of the published files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from textsegment.errors import CheckpointError
from textsegment.model.checkpoints.published import load_published, read_published
from textsegment.model.checkpoints.strict_load import assign
from textsegment.model.checkpoints.writing import write_weights
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder, TextEncoder
from textsegment.model.text.tokenizer import WordPieces, published_pieces

C = TypeVar("C")

FORMAT = "textsegment-model"
FORMAT_VERSION = "1"


class Checkpoint(NamedTuple):
    """Contents of a weights file, ready to use.

    Attributes:
        network: Network in evaluation mode, without gradients.
        text_encoder: Text encoder that belongs to the network; never to be used with another one.
        source: Origin of the weights.
    """

    network: SAT
    text_encoder: TextEncoder
    source: dict[str, str]


def save_demo(
    network: SAT,
    prompts: Sequence[tuple[str, str]],
    embeddings: Tensor,
    path: Path,
    source: Mapping[str, str] | None = None,
) -> None:
    """Write a network and its table of embeddings to a weights file in float16.

    Args:
        network: Trained network.
        prompts: Pair of (prompt, DICOM modality) for each row.
        embeddings: Embeddings of the prompts, (N, width).
        path: Target file, replaced if it exists.
        source: Origin of the weights, stored in the file.

    Raises:
        CheckpointError: The numbers of rows and prompts differ, or a prompt occurs twice.
        OutputError: The target cannot be written.
    """
    table = EmbeddingTable(prompts, embeddings)
    tensors = _prefixed("network.", network) | {"table.embeddings": table.embeddings}
    halves = {name: tensor.to("cpu", torch.float16) for name, tensor in tensors.items()}
    _save(halves, network.config, {"prompts": json.dumps(table.prompts)}, source or {}, path)


def save_knowledge(
    network: SAT, text_encoder: KnowledgeEncoder, path: Path, source: Mapping[str, str] | None = None
) -> None:
    """Write a network and SAT's text encoder to a weights file in float32.

    Args:
        network: Trained network.
        text_encoder: Text encoder that belongs to it.
        path: Target file, replaced if it exists.
        source: Origin of the weights, stored in the file.

    Raises:
        OutputError: The target cannot be written.
    """
    tensors = _prefixed("network.", network) | _prefixed("text.", text_encoder)
    singles = {name: tensor.to("cpu", torch.float32) for name, tensor in tensors.items()}
    described = {"text_config": json.dumps(asdict(text_encoder.config))}
    if text_encoder.pieces is not published_pieces():
        described["pieces"] = json.dumps(text_encoder.pieces.pieces, ensure_ascii=False)
    _save(singles, network.config, described, source or {}, path)


def convert(
    network_file: Path,
    text_file: Path,
    path: Path,
    config: SATConfig,
    text_config: MPNetConfig,
    source: Mapping[str, str],
) -> None:
    """Convert a pair of published checkpoints to one weights file in float32, without optimizer moments.

    Args:
        network_file: Published checkpoint of the image network.
        text_file: Published checkpoint of the text encoder that belongs to it.
        path: Target file, replaced if it exists.
        config: Configuration of the image network.
        text_config: Configuration of the text encoder.
        source: Origin of the two files, stored in the file.

    Raises:
        CheckpointError: One of the files is not the expected checkpoint.
        OutputError: The target cannot be written.
    """
    with torch.device("meta"):
        network, text = SAT(config), KnowledgeEncoder(text_config)
    load_published(network, read_published(network_file))
    load_published(text, read_published(text_file))
    tensors = _prefixed("network.", network) | _prefixed("text.", text)
    singles = {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
    _save(singles, config, {"text_config": json.dumps(asdict(text_config))}, source, path)


def load(path: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Checkpoint:
    """Read a weights file.

    Tensors are memory-mapped from the file rather than copied, if device and data type allow.

    Args:
        path: File written by :func:`convert` or :func:`save_demo`.
        device: Device for the modules.
        dtype: Data type of the network's parameters; None for float32. The text encoder is always float32,
            because it is small and runs once per prompt.

    Raises:
        CheckpointError: The file is damaged or of another format, or its tensors do not fit its
            configuration.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} is damaged or no weights file.") from error
    if (metadata.get("format"), metadata.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise CheckpointError(
            f"{path.name} is no weights file of this version of TextSegment.",
            "Import the published checkpoints with `textsegment weights import`.",
        )
    config = _config(SATConfig, metadata, "config", path)
    with torch.device("meta"):
        network = SAT(config)
    assign(network, _typed(_unprefixed("network.", tensors), dtype or torch.float32))
    text_encoder = _text_encoder(metadata, tensors, path, device)
    if text_encoder.width != config.width:
        raise CheckpointError(f"{path.name} holds a text encoder of another width than its network.")
    return Checkpoint(
        network.to(device).eval().requires_grad_(False), text_encoder, _json(metadata, "source", path)
    )


def _text_encoder(
    metadata: dict[str, str], tensors: dict[str, Tensor], path: Path, device: torch.device | str
) -> TextEncoder:
    if "prompts" in metadata:
        embeddings = _unprefixed("table.", tensors).get("embeddings", torch.empty(0, 0))
        return EmbeddingTable([(prompt, of) for prompt, of in _json(metadata, "prompts", path)], embeddings)
    text_config = _config(MPNetConfig, metadata, "text_config", path)
    pieces = WordPieces(_json(metadata, "pieces", path)) if "pieces" in metadata else None
    with torch.device("meta"):
        encoder = KnowledgeEncoder(text_config, pieces)
    assign(encoder, _typed(_unprefixed("text.", tensors), torch.float32))
    return encoder.to(device).eval().requires_grad_(False)


def _save(
    tensors: dict[str, Tensor], config: SATConfig, text: dict[str, str], source: Mapping[str, str], path: Path
) -> None:
    metadata = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": config.name,
        "config": json.dumps(asdict(config)),
        "source": json.dumps(dict(source)),
        **text,
    }
    write_weights(tensors, metadata, path)


def _json(metadata: dict[str, str], key: str, path: Path) -> Any:
    try:
        return json.loads(metadata[key])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path.name} lacks {key!r} in its metadata, or it is damaged.") from error


def _config(kind: Callable[..., C], metadata: dict[str, str], key: str, path: Path) -> C:
    fields = _json(metadata, key, path)
    try:
        return kind(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        )
    except (TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path.name} has another {key!r} than this version of TextSegment knows."
        ) from error


def _prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach() for name, tensor in module.state_dict().items()}


def _unprefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}


def _typed(tensors: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: tensor.to(dtype) for name, tensor in tensors.items()}
