"""A trained MPNet from the hub as the base of a text encoder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from textsegment.errors import CheckpointError, InputNotFoundError
from textsegment.files.disk.atomic import make_folder
from textsegment.inference.weights.hub import Hub
from textsegment.model.checkpoints.published import published_name
from textsegment.model.checkpoints.strict_load import assign, shapes_of
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.model.text.tokenizer import WordPieces

_WEIGHTS, _CONFIG, _VOCABULARY = "model.safetensors", "config.json", "vocab.txt"
_FILES = (_WEIGHTS, _CONFIG, _VOCABULARY)
_PREFIX = re.compile(r"^(?:0\.auto_model\.|mpnet\.)")
_PUBLISHED_PREFIX = "text_tower.biolord."


def load_base(name: str, folder: Path, report: Callable[[str], None]) -> KnowledgeEncoder:
    """Return a trained MPNet with a new projection and new modality embeddings.

    Args:
        name: Folder with ``model.safetensors``, ``config.json`` and ``vocab.txt``, or the name of a
            repository of the hub, such as ``FremyCompany/BioLORD-2023-C``.
        folder: Folder that a download is kept in.
        report: Callback for messages about progress.

    Raises:
        InputNotFoundError: There is no such folder, and it is no name of a repository.
        WeightsDownloadError: The hub cannot be reached, or has no such repository.
        CheckpointError: The files are damaged, or of another architecture.
    """
    path = Path(name)
    if not path.is_dir():
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            raise InputNotFoundError(
                "There is no such base encoder.", "Give a folder or OWNER/NAME of the hub."
            )
        path = _fetched(name, folder, report)
    try:
        size = json.loads((path / _CONFIG).read_text("utf-8"))
        config = MPNetConfig(
            size["hidden_size"],
            size["num_hidden_layers"],
            size["num_attention_heads"],
            size["intermediate_size"],
            size["max_position_embeddings"],
            size["vocab_size"],
            size["relative_attention_num_buckets"],
        )
        pieces = WordPieces((path / _VOCABULARY).read_text("utf-8").removesuffix("\n").split("\n"))
        found = {_PREFIX.sub("", key): tensor for key, tensor in load_file(path / _WEIGHTS).items()}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            "The base encoder is damaged, or no MPNet.", f"It needs {', '.join(_FILES)}."
        ) from error
    encoder = KnowledgeEncoder(config, pieces)
    tensors = {name: tensor.detach().clone() for name, tensor in encoder.state_dict().items()}
    for own in shapes_of(encoder.mpnet):
        theirs = published_name(encoder, f"mpnet.{own}").removeprefix(_PUBLISHED_PREFIX)
        if theirs not in found:
            raise CheckpointError(f"The base encoder lacks {theirs}: it is no MPNet.")
        tensors[f"mpnet.{own}"] = found[theirs].to(torch.float32)
    assign(encoder, tensors)
    return encoder


def _fetched(repository: str, folder: Path, report: Callable[[str], None]) -> Path:
    target = make_folder(folder / repository.replace("/", "--"))
    hub = Hub(repository)
    listing = hub.list_files()
    for name in _FILES:
        if name not in listing.files:
            raise CheckpointError(f"The repository {repository} has no {name}.", "Choose another base.")
        file = listing.files[name]
        if not (target / name).is_file() or (target / name).stat().st_size != file.size:
            report(f"fetching {name} of {repository}")
            hub.fetch(file, listing.revision, target / name, lambda name, done, size: None)
    return target
