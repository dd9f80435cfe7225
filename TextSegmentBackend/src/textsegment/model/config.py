"""Configurations of the published networks and of the demonstration model, which differ in data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MODALITY_INDEX = {"CT": 0, "MR": 1, "US": 2, "PT": 3}
"""Row of SAT's modality embedding, keyed by DICOM modality (in SAT's order: ct, mri, us, pet)."""


@dataclass(frozen=True)
class SATConfig:
    """Architecture and canonical grid of one SAT network (arXiv 2312.17183).

    Attributes:
        name: ``sat-nano``, ``sat-pro`` or ``sat-demo``.
        features: Number of channels of each of the six U-Net stages; the first is also the number of
            per-voxel features.
        encoder_convs: Number of convolutions in each of the six encoder stages.
        decoder_convs: Number of convolutions in each of the five decoder stages, deepest first.
        width: Number of channels of tokens and queries.
        projection_hidden: Number of hidden channels between the pooled latents and the tokens.
        mask_hidden: Number of hidden channels between a decoded query and its mask embedding.
        layers: Number of layers of the query decoder.
        heads: Number of attention heads of the query decoder.
        feed_forward: Number of hidden channels in the feed-forward blocks of the query decoder.
        spacing: Canonical voxel size in millimetres, along R, A, S.
        patch_size: Size of a patch in voxels, along R, A, S; multiples of 32.
        text_encoder: ``knowledge`` (MPNet/BioLORD layout) or ``table`` (precomputed embeddings).
    """

    name: str
    features: tuple[int, ...]
    encoder_convs: tuple[int, ...]
    decoder_convs: tuple[int, ...]
    width: int
    projection_hidden: int
    mask_hidden: int
    layers: int = 6
    heads: int = 8
    feed_forward: int = 2048
    spacing: tuple[float, float, float] = (1.0, 1.0, 3.0)
    patch_size: tuple[int, int, int] = (288, 288, 96)
    text_encoder: Literal["knowledge", "table"] = "knowledge"

    @property
    def latent_channels(self) -> int:
        """Number of channels of the pooled and concatenated encoder outputs."""
        return sum(self.features)


SAT_NANO = SATConfig(
    name="sat-nano",
    features=(64, 64, 128, 256, 512, 768),
    encoder_convs=(2,) * 6,
    decoder_convs=(2,) * 5,
    width=768,
    projection_hidden=768,
    mask_hidden=256,
)

SAT_PRO = SATConfig(
    name="sat-pro",
    features=(128, 128, 256, 512, 1024, 1536),
    encoder_convs=(3,) * 6,
    decoder_convs=(3,) * 5,
    width=768,
    projection_hidden=1536,
    mask_hidden=384,
)

SAT_DEMO = SATConfig(
    name="sat-demo",
    features=(16, 32, 64, 64, 96, 96),
    encoder_convs=(1, 2, 2, 2, 2, 2),
    decoder_convs=(2, 2, 2, 2, 1),
    width=192,
    projection_hidden=192,
    mask_hidden=96,
    layers=2,
    heads=6,
    feed_forward=384,
    spacing=(3.0, 3.0, 3.0),
    patch_size=(128, 96, 64),
    text_encoder="table",
)

CONFIGS = {config.name: config for config in (SAT_NANO, SAT_PRO, SAT_DEMO)}
