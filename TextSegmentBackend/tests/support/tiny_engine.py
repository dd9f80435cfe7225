"""A SAT network so small that tests run it, with answers that look like structures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from textsegment.geometry import Geometry
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.weights.models import LoadedModel
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT, PatchFeatures
from textsegment.segmentation import Segmentation
from textsegment.volume import Volume

NAMES = ("liver", "spleen", "left kidney", "right kidney", "aorta", "heart", "vertebrae", "sacrum")

CONFIG = SATConfig(
    name="tiny",
    features=(6, 6, 8, 8, 8, 8),
    encoder_convs=(1, 1, 1, 1, 1, 1),
    decoder_convs=(1, 1, 1, 1, 1),
    width=24,
    projection_hidden=16,
    mask_hidden=16,
    layers=1,
    heads=2,
    feed_forward=32,
    spacing=(3.0, 3.0, 3.0),
    patch_size=(64, 32, 32),
    text_encoder="table",
)


class CountingSAT(SAT):
    """Network that counts what it is asked to do."""

    def __init__(self, config: SATConfig = CONFIG) -> None:
        super().__init__(config)
        self.encoded = 0

    def encode_image(self, patch: Tensor) -> PatchFeatures:
        self.encoded += 1
        return super().encode_image(patch)


@dataclass
class TableOfNoise:
    """Text encoder that knows some names; counts what it encodes."""

    names: dict[str, tuple[str, ...]]
    width: int = CONFIG.width
    encoded: int = 0

    def encode(self, prompts: list[str], modality: str) -> Tensor:
        self.encoded += len(prompts)
        rows = [self.names[modality].index(prompt) for prompt in prompts]
        generator = torch.Generator().manual_seed(7)
        return 3 * torch.randn((len(self.names[modality]), self.width), generator=generator)[rows]

    def supported(self, modality: str) -> tuple[str, ...] | None:
        return self.names.get(modality, ())


def tiny_model(names: tuple[str, ...] = NAMES, network: SAT | None = None) -> LoadedModel:
    """A model with random but fixed weights; its masks are neither empty nor everything."""
    network = network or CountingSAT()
    torch.manual_seed(11)
    fresh = SAT(network.config)
    # Without the last GELU, embeddings of random weights have both signs, and so have the logits.
    fresh.mask_embed_proj = nn.Sequential(nn.Linear(CONFIG.width, CONFIG.features[0]))
    nn.init.normal_(fresh.mask_embed_proj[0].weight, std=1.0)
    network.mask_embed_proj = fresh.mask_embed_proj
    network.load_state_dict(fresh.state_dict())
    encoder = TableOfNoise({"CT": names, "MR": names})
    return LoadedModel("tiny", network.config, network.eval(), encoder, "0" * 64)


def phantom(shape: tuple[int, int, int] = (70, 52, 44), modality: str = "CT", seed: int = 0) -> Volume:
    """A body of smooth noise on an oblique grid."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=[n // 8 + 2 for n in shape])
    smooth = coarse.repeat(8, 0).repeat(8, 1).repeat(8, 2)[: shape[0], : shape[1], : shape[2]]
    voxels = np.full(shape, -1000.0)
    inner = tuple(slice(3, -3) for _ in range(3))
    voxels[inner] = (smooth * 150 + 60 + rng.normal(size=shape) * 20)[inner]
    affine = np.diag([-2.5, -2.5, 4.0, 1.0])
    angle = np.radians(10)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Volume(voxels.astype(np.float32), Geometry(shape, turn @ affine), modality)


def segmenter(**options: object) -> LocalSegmenter:
    """Return an engine with the tiny model, unless ``model`` is another."""
    model = options.pop("model", None) or tiny_model()
    # float32: what is computed is held against plain float32, voxel by voxel.
    return LocalSegmenter(model, **{"device": "cpu", "precision": "fp32", **options})


def assert_same(a: Segmentation, b: Segmentation) -> None:
    """Fail unless two segmentations have the same masks, voxel by voxel."""
    assert [m.structure for m in a] == [m.structure for m in b]
    for one, other in zip(a, b, strict=True):
        assert one.box == other.box
        np.testing.assert_array_equal(one.mask, other.mask)
