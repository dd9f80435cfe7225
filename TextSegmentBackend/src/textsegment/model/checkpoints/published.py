"""Strict reading and writing of SAT's published checkpoint layout.

A file is a pickled dictionary whose ``model_state_dict`` holds the tensors, with names that start with
``module.``. Besides what inference needs, it contains:

* aliases: ``convs.N.all_modules.0|1`` repeat ``convs.N.conv`` and ``convs.N.norm``;
* tensors that inference does not use: always ``norm1`` of every query decoder layer and the pooler of the
  text encoder, and in some files ``mid_mask_embed_proj`` (deep supervision) and ``embeddings.position_ids``.
  They are checked, returned as ``unused``, and written again if given. If not given, those that every file
  has are written with neutral values, since strict loaders require their names.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textsegment.errors import CheckpointError
from textsegment.model.checkpoints.foreign import refuse_foreign
from textsegment.model.checkpoints.strict_load import assign, check_names, check_shapes, shapes_of
from textsegment.model.sat import SAT
from textsegment.model.text.text_encoder import KnowledgeEncoder

PREFIX = "module."
POSITION_IDS = "text_tower.biolord.embeddings.position_ids"

_SECOND_NAME = re.compile(r"(\.convs\.\d+)\.all_modules\.([01])\.")
_FIRST_NAME = re.compile(r"(\.convs\.\d+)\.(conv|norm)\.")
_BLOCK_PARTS = ("conv", "norm")

_SUPERVISION = "mid_mask_embed_proj."
_SUPERVISED_STAGES = 3

_MPNET_NAMES = {
    "word_embeddings": "embeddings.word_embeddings",
    "position_embeddings": "embeddings.position_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
    "relative_bias": "encoder.relative_attention_bias",
}
_MPNET_LAYER_NAMES = {
    "query": "attention.attn.q",
    "key": "attention.attn.k",
    "value": "attention.attn.v",
    "out": "attention.attn.o",
    "attention_norm": "attention.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}


def read_published(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a published checkpoint, without the prefix and aliases.

    The file is memory-mapped, so optimizer moments cost nothing. Pickled code is never executed.

    Raises:
        CheckpointError: The file is damaged, is not a checkpoint or contains code, or the tensors of its
            aliases differ.
    """
    # Training saved the learning rate as a NumPy scalar: allow those, under their old and new module names.
    scalar = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *{type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64)},
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} holds something other than tensors and was not loaded: it could run code.",
            "Fetch the file again from its authors.",
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror}.") from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{path.name} is damaged or no checkpoint.", "Fetch the file again.") from error
    tensors = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{path.name} has no model_state_dict: it is no checkpoint of SAT.")
    return _without_second_names({str(name).removeprefix(PREFIX): tensor for name, tensor in tensors.items()})


def _without_second_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def first(name: str) -> str:
        return _SECOND_NAME.sub(lambda m: f"{m[1]}.{_BLOCK_PARTS[int(m[2])]}.", name)

    for name, tensor in tensors.items():
        if first(name) in tensors and not torch.equal(tensor, tensors[first(name)]):
            raise CheckpointError(
                f"The checkpoint contradicts itself: {name} and {first(name)} should be the same tensor.",
                "Fetch the file again from its authors.",
            )
    return {
        name: tensor for name, tensor in tensors.items() if first(name) == name or first(name) not in tensors
    }


def load_published(module: SAT | KnowledgeEncoder, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load the tensors of a published checkpoint into a network or a text encoder, checking them strictly.

    Args:
        module: Module to load into; may be on torch's ``meta`` device.
        tensors: Tensors from :func:`read_published`.

    Returns:
        The tensors that inference does not use, keyed by published name.

    Raises:
        CheckpointError: The checkpoint is of another variant of SAT or the other half of a pair, or names or
            shapes differ.
    """
    refuse_foreign(tensors, module.config if isinstance(module, SAT) else None)
    ours = {published_name(module, name): name for name in shapes_of(module)}
    unused = _unused_shapes(module, tensors)
    check_names([*ours, *unused], tensors)
    check_shapes(unused, tensors)
    assign(module, {name: tensors[published] for published, name in ours.items()})
    return {name: tensors[name] for name in unused}


def save_published(
    module: SAT | KnowledgeEncoder, path: Path, unused: Mapping[str, Tensor] | None = None
) -> None:
    """Write a network or a text encoder in the published layout, including aliases.

    Args:
        module: Module to write.
        path: Target file, replaced if it exists.
        unused: Tensors returned by :func:`load_published`. Those that every published file has and that are
            not given here get neutral values: identity norms, and a pooler of zeros.
    """
    tensors = {published_name(module, name): tensor for name, tensor in module.state_dict().items()}
    for name, shape in _unused_shapes(module, unused or {}).items():
        neutral = torch.ones if name.endswith("norm1.weight") else torch.zeros
        tensors[name] = unused[name] if unused and name in unused else neutral(shape)
    for name in list(tensors):
        second = _FIRST_NAME.sub(lambda m: f"{m[1]}.all_modules.{_BLOCK_PARTS.index(m[2])}.", name)
        tensors[second] = tensors[name]
    partial = path.with_name(path.name + ".partial")
    torch.save({"model_state_dict": {PREFIX + name: tensor for name, tensor in tensors.items()}}, partial)
    partial.replace(path)


def published_name(module: SAT | KnowledgeEncoder, name: str) -> str:
    """Return the published name of a parameter, without ``module.``; for ``SAT`` it is the same."""
    if isinstance(module, SAT) or not name.startswith("mpnet."):
        return name
    parts = name.removeprefix("mpnet.").split(".")
    if parts[0] == "layers":
        _, layer, part, kind = parts
        return f"text_tower.biolord.encoder.layer.{layer}.{_MPNET_LAYER_NAMES[part]}.{kind}"
    part, kind = parts
    return f"text_tower.biolord.{_MPNET_NAMES[part]}.{kind}"


def _unused_shapes(
    module: SAT | KnowledgeEncoder, tensors: Mapping[str, Tensor]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of tensors that inference does not use: always present, or present in this file."""
    width = module.config.width
    if isinstance(module, KnowledgeEncoder):
        pooler = "text_tower.biolord.pooler.dense."
        shapes: dict[str, tuple[int, ...]] = {f"{pooler}weight": (width, width), f"{pooler}bias": (width,)}
        if POSITION_IDS in tensors:
            shapes[POSITION_IDS] = tuple(tensors[POSITION_IDS].shape)  # an unused buffer
        return shapes
    shapes = {
        f"transformer_decoder.layers.{layer}.norm1.{kind}": (width,)
        for layer in range(module.config.layers)
        for kind in ("weight", "bias")
    }
    if any(name.startswith(_SUPERVISION) for name in tensors):
        shapes |= _supervision_shapes(module, tensors)
    return shapes


def _supervision_shapes(module: SAT, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the deep-supervision heads, one for each decoder output before the last."""
    shapes: dict[str, tuple[int, ...]] = {}
    for stage in range(_SUPERVISED_STAGES):
        head = f"{_SUPERVISION}{stage}."
        outputs = module.config.features[stage + 1]
        bias = tensors.get(f"{head}0.bias")
        hidden = len(bias) if bias is not None and bias.ndim == 1 else 0
        shapes[f"{head}0.weight"] = (hidden, module.config.width)
        shapes[f"{head}0.bias"] = (hidden,)
        shapes[f"{head}2.weight"] = (outputs, hidden)
        shapes[f"{head}2.bias"] = (outputs,)
    return shapes
