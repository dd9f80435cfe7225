"""Models by name, loaded from this computer; :mod:`.acquire` brings the weights there.

Nothing here touches the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch

from textsegment.errors import WeightsMissingError
from textsegment.inference.weights.hub import sha256_of
from textsegment.inference.weights.registry import DEMO, PUBLISHED, published_model
from textsegment.inference.weights.store import FileRecord, Store
from textsegment.model.checkpoints import checkpoint
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingCache
from textsegment.model.text.text_encoder import TextEncoder


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for the engine.

    Attributes:
        name: ``sat-nano`` and the like.
        config: Architecture and canonical grid.
        network: In evaluation mode, on the chosen device.
        text_encoder: Its own text encoder, with a cache.
        digest: SHA-256 of the weights file, hexadecimal.
    """

    name: str
    config: SATConfig
    network: SAT
    text_encoder: TextEncoder
    digest: str


@dataclass(frozen=True)
class ModelStatus:
    """What is on this computer of one model.

    Attributes:
        name: Of the model.
        ready: Whether it can be loaded.
        size: Bytes on disk if ready, else about as many as there are to download.
        origin: Where the weights are from, for people.
    """

    name: str
    ready: bool
    size: int
    origin: str


def list_models() -> list[ModelStatus]:
    """Say of every model whether its weights are here."""
    demo = _demo_file()
    statuses = [ModelStatus(DEMO, demo.exists(), demo.stat().st_size if demo.exists() else 0, "this package")]
    store = Store()
    for model in PUBLISHED.values():
        record = store.record(model.name)
        if record and record.converted and store.weights_file(model.name).exists():
            origin = (
                f"{record.repository}, commit {record.revision[:12]}" if record.revision else "imported files"
            )
            statuses.append(ModelStatus(model.name, True, record.converted.size, origin))
        else:
            size = round(model.download_gb * 1e9)
            statuses.append(
                ModelStatus(model.name, False, size, f"{model.repository} on the Hugging Face hub")
            )
    return statuses


def verify(name: str) -> str:
    """Check the weights of a model: SHA-256 against the record, names and shapes against the network.

    Returns:
        The SHA-256.

    Raises:
        WeightsMissingError: they are not here.
        WeightsTamperedError: they changed.
        CheckpointError: they do not fit the network.
    """
    return load_model(name).digest


def load_model(
    name: str, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> LoadedModel:
    """Load a model whose weights are on this computer.

    Args:
        name: ``sat-demo``, ``sat-nano`` or ``sat-pro``.
        device: Where network and text encoder shall run.
        dtype: Type of the network's parameters, float32 unless said otherwise.

    Raises:
        WeightsError: there is no such model.
        WeightsMissingError: the weights are not here; the hint has the command that fetches them.
        WeightsTamperedError: they differ from the record.
        CheckpointError: they do not fit the network.
    """
    path, digest = _packaged() if name == DEMO else _checked(published_model(name).name)
    network, text_encoder, _ = checkpoint.load(path, device=device, dtype=dtype)
    return LoadedModel(name, network.config, network, EmbeddingCache(text_encoder, digest), digest)


def _packaged() -> tuple[Path, str]:
    path = _demo_file()
    if not path.exists():
        raise WeightsMissingError(
            f"This installation lacks the weights of {DEMO}, which are part of the package.",
            "Run `pip install --force-reinstall textsegment`.",
        )
    return path, sha256_of(path)


def _checked(name: str) -> tuple[Path, str]:
    store = Store()
    record, path = store.record(name), store.weights_file(name)
    if record is None or record.converted is None or not path.exists():
        raise WeightsMissingError(
            f"The weights of {name} are not on this computer.",
            f"Run `textsegment weights download {name}`, or without network "
            f"`textsegment weights import {name} FOLDER`.",
        )
    seen = FileRecord(path.name, path.stat().st_size, sha256_of(path))
    store.check(record.converted, seen)
    return path, seen.sha256


def _demo_file() -> Path:
    return Path(str(resources.files("textsegment.model"))) / "data" / f"{DEMO}.safetensors"
