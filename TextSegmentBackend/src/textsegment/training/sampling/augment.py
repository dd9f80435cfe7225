"""Random changes of patches that imitate contrast phases, other scanners and thick slices."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


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
