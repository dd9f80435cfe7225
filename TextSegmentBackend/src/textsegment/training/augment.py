"""Random augmentation of scans, with MONAI.

Scans are never mirrored, since left and right must be preserved.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.transforms import (
    Compose,
    OneOf,
    RandAdjustContrastd,
    RandAffined,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSimulateLowResolutiond,
    RandSpatialCropd,
    SpatialPadd,
)
from numpy.typing import NDArray
from torch import Tensor

from textsegment.training.dataset import TrainingCase

_DEGREES = np.pi / 180
_UNCHANGED_SHARE = 0.35
"""Fraction of patches that are not augmented, because the scans of users are not either."""


def spatial(patch_size: tuple[int, int, int]) -> Compose:
    """Return a random affine map and crop of at most ``patch_size``, zero-padded at the end to it."""
    keys = ("image", "labels")
    smallest = [round(0.5 * n) for n in patch_size]
    # Most patches have full size, as in use; smaller ones represent scans of a part of the body.
    crop = OneOf(
        [
            RandSpatialCropd(keys, roi_size=patch_size, random_size=False),
            RandSpatialCropd(keys, roi_size=smallest, max_roi_size=patch_size, random_size=True),
        ],
        weights=(0.75, 0.25),
    )
    return Compose(
        [
            RandAffined(
                keys,
                prob=0.8,
                rotate_range=[12 * _DEGREES] * 3,
                scale_range=[0.2] * 3,
                shear_range=[0.05] * 6,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
            crop,
            SpatialPadd(keys, spatial_size=patch_size, method="end"),
        ]
    )


def unchanged(patch_size: tuple[int, int, int]) -> Compose:
    """Return a random crop of at most ``patch_size``, zero-padded at the end to it."""
    keys = ("image", "labels")
    return Compose(
        [
            RandSpatialCropd(keys, roi_size=patch_size, random_size=False),
            SpatialPadd(keys, spatial_size=patch_size, method="end"),
        ]
    )


def intensity() -> Compose:
    """Return random changes of contrast, bias field, noise, blur and resolution for a normalised image."""
    keys = ("image",)
    return Compose(
        [
            RandScaleIntensityd(keys, factors=0.25, prob=0.5),
            RandShiftIntensityd(keys, offsets=0.3, prob=0.5),
            RandAdjustContrastd(keys, gamma=(0.7, 1.5), prob=0.3),
            RandBiasFieldd(keys, coeff_range=(0.0, 0.2), degree=2, prob=0.1),
            RandSimulateLowResolutiond(keys, zoom_range=(0.4, 1.0), prob=0.15),
            RandGaussianSmoothd(keys, sigma_x=(0.3, 1.0), sigma_y=(0.3, 1.0), sigma_z=(0.3, 1.5), prob=0.2),
            RandGaussianNoised(keys, std=0.2, prob=0.3),
        ]
    )


def recolour(
    image: Tensor, labels: Tensor, random: np.random.Generator, *, spread: float = 0.3, share: float = 0.4
) -> Tensor:
    """Change the brightness of labelled structures to imitate other contrast phases, scanners and sequences.

    Args:
        image: Normalised image (1, h, w, d).
        labels: Label map (1, h, w, d) of integers.
        random: Random number generator.
        spread: Standard deviation of the added offset.
        share: Fraction of images that are changed.
    """
    if random.random() > share:
        return image
    offsets = torch.from_numpy(random.normal(0, spread, int(labels.max()) + 1).astype(np.float32))
    offsets[0] = 0
    return image + offsets[labels.long()]


class PatchSampler:
    """Sampler of augmented patches from training cases, which are drawn according to their weights."""

    def __init__(self, cases: list[TrainingCase], patch_size: tuple[int, int, int], seed: int) -> None:
        self.cases = cases
        self._random = np.random.default_rng(seed)
        self._spatial = spatial(patch_size).set_random_state(seed)
        self._unchanged = unchanged(patch_size).set_random_state(seed)
        self._intensity = intensity().set_random_state(seed)
        weights: NDArray[np.float64] = np.array([case.weight for case in cases], dtype=np.float64)
        self._odds = weights / weights.sum()

    def draw(self) -> tuple[TrainingCase, Tensor, Tensor]:
        """Draw a case; return it with a patch (1, 1, h, w, d) of its image and the labels (h, w, d)."""
        case = self.cases[int(self._random.choice(len(self.cases), p=self._odds))]
        item = {"image": torch.from_numpy(case.image)[None], "labels": torch.from_numpy(case.labels)[None]}
        if self._random.random() < _UNCHANGED_SHARE:
            item = self._unchanged(item)
        else:
            item = self._spatial(item)
            item["image"] = recolour(item["image"], item["labels"], self._random)
            item = self._intensity(item)
        return case, item["image"].as_tensor()[None], item["labels"].as_tensor()[0].long()
