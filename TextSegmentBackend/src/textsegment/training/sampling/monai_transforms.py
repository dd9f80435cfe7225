"""Random augmentation of patches with MONAI, whose import takes seconds: only recipes that need it do so.

Scans are never mirrored, since left and right must be preserved.
"""

from __future__ import annotations

import numpy as np
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
