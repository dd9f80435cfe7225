"""Recognition of known checkpoints of the wrong kind, to report what a file actually contains."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from textsegment.errors import CheckpointError
from textsegment.model.config import CONFIGS, MODALITY_INDEX, SATConfig

USE_THESE = "Use the files of sat-nano or sat-pro: `textsegment weights list` names them."

_VARIANTS = {
    "mamba": "the U-Mamba variant of SAT",
    "swinvit": "the SwinUNETR variant of SAT",
    "medcpt": "SAT's variant with the MedCPT text encoder",
    "bert": "SAT's variant with a BERT text encoder",
}
_FIRST_CONVOLUTION = "backbone.encoder.stages.0.0.convs.0.conv.weight"
_MODALITIES = "modality_embed.weight"


def refuse_foreign(tensors: Mapping[str, Tensor], config: SATConfig | None) -> None:
    """Reject known checkpoints that are not of the required kind.

    Args:
        tensors: Tensors keyed by published name, without ``module.``.
        config: Configuration of the required image network; ``None`` if a text encoder is required.

    Raises:
        CheckpointError: The checkpoint is of another kind; the message says which.
    """
    for mark, variant in _VARIANTS.items():
        if any(mark in name.lower() for name in tensors):
            raise CheckpointError(f"This checkpoint is {variant}, which is not supported.", USE_THESE)
    modalities = tensors.get(_MODALITIES)
    if modalities is not None and modalities.ndim > 0 and len(modalities) != len(MODALITY_INDEX):
        raise CheckpointError(
            f"This checkpoint tells {len(modalities)} modalities apart instead of {len(MODALITY_INDEX)}: it "
            f"belongs to another version of SAT (as nano_cvpr25_v0 and the pretraining files do).",
            USE_THESE,
        )
    if config is None and any(name.startswith("backbone.") for name in tensors):
        raise CheckpointError("This checkpoint is an image network, not a text encoder.", USE_THESE)
    if config is not None and any(name.startswith("text_tower.") for name in tensors):
        raise CheckpointError("This checkpoint is a text encoder, not an image network.", USE_THESE)
    if config is not None:
        _refuse_other_size(tensors, config)


def _refuse_other_size(tensors: Mapping[str, Tensor], config: SATConfig) -> None:
    first = tensors.get(_FIRST_CONVOLUTION)
    if first is None or first.ndim == 0 or len(first) == config.features[0]:
        return
    for other in CONFIGS.values():
        if len(first) == other.features[0]:
            raise CheckpointError(
                f"This checkpoint is a network of {other.name}, not of {config.name}.", USE_THESE
            )
