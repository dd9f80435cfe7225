"""Loading of models by name from this computer; :mod:`.acquire` obtains their weights.

Nothing here accesses the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch

from textsegment.doubt import Calibration
from textsegment.errors import SettingsError, WeightsMissingError
from textsegment.inference.weights.calibrations import calibration_of
from textsegment.inference.weights.hub import sha256_of
from textsegment.inference.weights.registry import DEMO, PUBLISHED, published_model
from textsegment.inference.weights.store import FileRecord, Store
from textsegment.model.checkpoints import checkpoint
from textsegment.model.config import CONFIGS, SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingCache
from textsegment.model.text.text_encoder import TextEncoder

_TRAINED = ".safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for the engine.

    Attributes:
        name: Name of the model, such as ``sat-nano``.
        config: Architecture and canonical grid.
        network: Network in evaluation mode, on the chosen device.
        text_encoder: Text encoder that belongs to the network, with a cache.
        digest: SHA-256 of the weights file, in hexadecimal.
        calibration: How unsure the model is of good masks; None if it was never calibrated.
    """

    name: str
    config: SATConfig
    network: SAT
    text_encoder: TextEncoder
    digest: str
    calibration: Calibration | None = None


@dataclass(frozen=True)
class ModelStatus:
    """Status of a model on this computer.

    Attributes:
        name: Name of the model.
        ready: Whether the model can be loaded.
        size: Size on disk in bytes if ready, otherwise the approximate size of the download.
        origin: Human-readable origin of the weights.
    """

    name: str
    ready: bool
    size: int
    origin: str


def list_models() -> list[ModelStatus]:
    """Return the status of every model on this computer."""
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
    for name in store.imported():
        path = store.weights_file(name)
        size = path.stat().st_size if path.exists() else 0
        statuses.append(ModelStatus(name, path.exists(), size, "trained here or elsewhere"))
    return statuses


def verify(name: str) -> str:
    """Verify the weights of a model: SHA-256 against the record, names and shapes against the network.

    Returns:
        SHA-256 of the weights file, in hexadecimal.

    Raises:
        WeightsMissingError: The weights are not on this computer.
        WeightsTamperedError: The weights differ from their record.
        CheckpointError: The weights do not fit the network.
    """
    return load_model(name).digest


def load_model(
    name: str, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> LoadedModel:
    """Load a model whose weights are on this computer.

    Args:
        name: ``sat-demo``, ``sat-nano``, ``sat-pro`` or the name of an imported model, or the path of a
            ``.safetensors`` file that ``textsegment train`` wrote, whose model is named after the file.
        device: Device for the network and the text encoder.
        dtype: Data type of the network's parameters; None for float32.

    Raises:
        WeightsError: There is no such model.
        WeightsMissingError: The weights are not on this computer; the hint has the command to fetch them.
        WeightsTamperedError: The weights differ from their record.
        CheckpointError: The weights do not fit the network.
    """
    path, digest = file_of(name)
    if name.endswith(_TRAINED):
        name = path.name.removesuffix(_TRAINED)
    network, text_encoder, _ = checkpoint.load(path, device=device, dtype=dtype)
    encoder, calibration = EmbeddingCache(text_encoder, digest), calibration_of(digest)
    return LoadedModel(name, network.config, network, encoder, digest, calibration)


def config_of(name: str) -> SATConfig:
    """Return the architecture of a known model, whose weights need not be here, or of weights that are.

    Raises:
        SettingsError: There is no such model.
        WeightsMissingError: There is no such file.
        CheckpointError: The file is damaged.
    """
    if name in CONFIGS:
        return CONFIGS[name]
    if not name.endswith(_TRAINED) and not Store().is_imported(name):
        raise SettingsError("There is no such model.", f"Use one of {', '.join(CONFIGS)}, or a weights file.")
    return load_model(name).config


def file_of(name: str) -> tuple[Path, str]:
    """Return the weights file of a model, and its SHA-256, in hexadecimal; see ``load_model``."""
    if name.endswith(_TRAINED):
        return _trained(Path(name))
    if name == DEMO:
        return _packaged()
    return _checked(name if Store().is_imported(name) else published_model(name).name)


def _trained(path: Path) -> tuple[Path, str]:
    if not path.is_file():
        raise WeightsMissingError("There is no such file of weights.", "Check the path after --model.")
    return path, sha256_of(path)


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
