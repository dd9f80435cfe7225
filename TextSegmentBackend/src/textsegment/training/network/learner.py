"""The network in training: with its prompts, and a head of mask embeddings for each coarser resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from textsegment.errors import CheckpointError
from textsegment.model.checkpoints.checkpoint import Checkpoint
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.unet import ConvStage
from textsegment.training.network.adapters import add_adapters, is_adapter
from textsegment.training.network.prompts import FrozenText, PromptTable
from textsegment.training.settings import PARTS

COARSE_LEVELS = 3
_MOST_HIDDEN = 512


class Learner(nn.Module):
    """Network, prompts, and heads for deep supervision at 1/2, 1/4 and 1/8 of the resolution.

    The heads help to learn locations and are not exported.

    Args:
        config: Architecture of the network.
        text: Prompts: a table, or a frozen text encoder.
    """

    def __init__(self, config: SATConfig, text: PromptTable | FrozenText) -> None:
        super().__init__()
        self.network = SAT(config)
        self.text = text
        channels = config.features[1 : 1 + COARSE_LEVELS]
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(config.width, hidden), nn.GELU(), nn.Linear(hidden, out))
            for hidden, out in zip(hidden_channels(config), channels, strict=True)
        )

    def start_as_background(self) -> None:
        """Initialise a new network so that it finds nothing.

        Mask embeddings end in a GELU, which never falls below -0.17, so only large features can express
        absence. Starting with such features saves the first thousand steps.
        """
        last_linear, last_stage = self.network.mask_embed_proj[2], self.network.backbone.decoder.stages[-1]
        assert isinstance(last_linear, nn.Linear)
        assert isinstance(last_stage, ConvStage)
        last_norm = last_stage.convs[-1].norm
        assert isinstance(last_norm, nn.InstanceNorm3d)
        nn.init.normal_(last_linear.weight, std=0.1)
        nn.init.constant_(last_linear.bias, -0.5)
        nn.init.constant_(last_norm.weight, 10.0)

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Initialise network and prompts from a trained model.

        Raises:
            CheckpointError: The architecture differs.
        """
        theirs, ours = checkpoint.network.config, self.network.config
        if _shape(theirs) != _shape(ours):
            raise CheckpointError(
                "Training can go on from a model of the same architecture only.", f"That is {theirs.name}."
            )
        self.network.load_state_dict(checkpoint.network.state_dict())
        if isinstance(self.text, PromptTable):
            self.text.start_from(checkpoint.text_encoder)

    def freeze_all_but(self, parts: Sequence[str], adapter_rank: int) -> int:
        """Freeze all parts but some, and return the number of parameters that learn.

        Args:
            parts: Names in ``PARTS``, and in ``ADAPTERS`` for parts that get adapters here.
            adapter_rank: Rank of the adapters.
        """
        add_adapters(self.network, parts, adapter_rank)
        prefixes = tuple(prefix for part in parts for prefix in PARTS.get(part, ()))
        count = 0
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(prefixes) or is_adapter(name))
            count += parameter.numel() * parameter.requires_grad
        return count

    def forward(
        self, patch: Tensor, structures: list[str], modality: str, *, bfloat16: bool = False
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the features (C, h, w, d) and mask embeddings (N, C) at each resolution, finest first."""
        device = patch.device.type
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            features, coarse = self.network.encode_image_deeply(patch)
        with torch.autocast(device, enabled=False):
            queries = self.text(structures, modality)
            decoded = self.network.decode(features._replace(tokens=features.tokens.float()), queries)
            levels = [(features.pixel_features, self.network.mask_embed_proj(decoded))]
            for head, stage in zip(self.heads, reversed(coarse), strict=False):
                levels.append((stage[0], head(decoded)))
        return levels


def hidden_channels(config: SATConfig) -> tuple[int, ...]:
    """Return the hidden channels of the heads, those of the published training.

    >>> from textsegment.model.config import SAT_NANO, SAT_PRO
    >>> hidden_channels(SAT_NANO), hidden_channels(SAT_PRO)
    ((256, 384, 512), (384, 512, 512))
    """
    return tuple(min(_MOST_HIDDEN, config.mask_hidden * (2 + level) // 2) for level in range(COARSE_LEVELS))


def _shape(config: SATConfig) -> tuple[object, ...]:
    """Return what two architectures must share for one's weights to fit the other."""
    return (
        config.features,
        config.encoder_convs,
        config.decoder_convs,
        config.width,
        config.projection_hidden,
        config.mask_hidden,
        config.layers,
        config.heads,
        config.feed_forward,
        config.spacing,
    )
