"""Random augmentation of patches, with MONAI.

Scans are never mirrored, since left and right must be preserved.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSharpend,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSimulateLowResolutiond,
    RandZoomd,
)
from torch import Tensor

_DEGREES = np.pi / 180


def published() -> Compose:
    """Return the augmentation that SAT was trained with: zoom, noise, sharpening, brightness and contrast."""
    both, image = ("image", "labels"), ("image",)
    return Compose(
        [
            RandZoomd(both, prob=0.2, min_zoom=0.7, max_zoom=1.4, mode=("trilinear", "nearest")),
            RandGaussianNoised(image, prob=0.1, std=0.1),
            RandGaussianSharpend(image, prob=0.2),
            RandScaleIntensityd(image, factors=0.25, prob=0.15),
            RandAdjustContrastd(image, gamma=(0.7, 1.5), prob=0.1),
            RandAdjustContrastd(image, gamma=(0.7, 1.5), prob=0.3, invert_image=True, retain_stats=True),
        ]
    )


def rotated() -> Compose:
    """Return random rotation, scaling and shearing of image and labels."""
    return Compose(
        [
            RandAffined(
                ("image", "labels"),
                prob=0.8,
                rotate_range=[12 * _DEGREES] * 3,
                scale_range=[0.2] * 3,
                shear_range=[0.05] * 6,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
        ]
    )


def rescanned() -> Compose:
    """Return random changes of contrast, bias field, noise, blur and resolution for a normalised image."""
    keys = ("image",)
    return Compose(
        [
            RandScaleIntensityd(keys, factors=0.2, prob=0.4),
            RandShiftIntensityd(keys, offsets=0.2, prob=0.4),
            RandAdjustContrastd(keys, gamma=(0.7, 1.5), prob=0.2),
            RandBiasFieldd(keys, coeff_range=(0.0, 0.2), degree=2, prob=0.05),
            RandSimulateLowResolutiond(keys, zoom_range=(0.5, 1.0), prob=0.1),
            RandGaussianSmoothd(keys, sigma_x=(0.3, 1.0), sigma_y=(0.3, 1.0), sigma_z=(0.3, 1.0), prob=0.1),
            RandGaussianNoised(keys, std=0.15, prob=0.3),
        ]
    )


def recolour(
    image: Tensor, labels: Tensor, random: np.random.Generator, *, spread: float = 0.3, share: float = 0.4
) -> Tensor:
    """Change the brightness of labelled structures to imitate other contrast phases, scanners and sequences.

    Args:
        image: Normalised image (1, h, w, d).
        labels: Map of atoms (1, h, w, d); 0 and below belong to no structure.
        random: Random number generator.
        spread: Standard deviation of the added offset.
        share: Fraction of images that are changed.
    """
    if random.random() > share:
        return image
    offsets = torch.from_numpy(random.normal(0, spread, max(int(labels.max()), 0) + 1).astype(np.float32))
    offsets[0] = 0
    return image + offsets[labels.long().clamp(min=0)]


def thicken_slices(
    image: Tensor, random: np.random.Generator, *, thickest: float = 4.0, share: float = 0.35
) -> Tensor:
    """Imitate a scan with thick slices: average over z, sample, and interpolate linearly.

    Args:
        image: Normalised image (1, h, w, d).
        random: Random number generator.
        thickest: Largest distance of slices, in voxels.
        share: Fraction of images that are changed.
    """
    if random.random() > share:
        return image
    depth = image.shape[-1]
    count = max(2, round(depth / random.uniform(1.2, thickest)))
    flat = image.flatten(1, 2)  # (1, h·w, d)
    if random.random() < 0.5:
        thick = F.adaptive_avg_pool1d(flat, count)
    else:  # thin slices far apart
        thick = flat[..., torch.linspace(0, depth - 1, count).round().long()]
    return F.interpolate(thick, depth, mode="linear", align_corners=False).view_as(image)
