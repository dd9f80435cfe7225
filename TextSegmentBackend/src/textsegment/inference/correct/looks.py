"""What the trees and the linear fit look at in each cell, besides the features of the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

_SCALES_MM = (3.0, 7.5)
_PERCENTILES = (0.5, 99.5)
MOST_LOGIT = 6.0
"""Logits are clipped to this size."""


def intensities(image: NDArray[np.float32], spacing: Sequence[float]) -> NDArray[np.float32]:
    """Return the intensity at three scales and its gradient, as columns of shape (cells, 4)."""
    low, high = np.percentile(image, _PERCENTILES)
    clipped = np.clip(image, low, high).astype(np.float32)
    sigmas = [[scale / size for size in spacing] for scale in _SCALES_MM]
    columns = [clipped, *(gaussian_filter(clipped, sigma, mode="nearest") for sigma in sigmas)]
    columns.append(gaussian_gradient_magnitude(clipped, sigmas[0], mode="nearest"))
    return np.stack([column.ravel() for column in columns], axis=1)


def positions(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the place of each cell in the region, its squares and products, as columns (cells, 9)."""
    axes = [(2 * np.arange(n, dtype=np.float32) + 1 - n) / (n + 1) for n in shape]
    x, y, z = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    return np.stack([x, y, z, x * x, y * y, z * z, x * y, y * z, x * z], axis=1)


def logits(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of probabilities, clipped."""
    p = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.asarray(np.clip(np.log(p / (1 - p)), -MOST_LOGIT, MOST_LOGIT), dtype=np.float32)


def standardised(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return columns with mean 0 and standard deviation 1."""
    found: NDArray[np.float32] = (columns - columns.mean(axis=0)) / (columns.std(axis=0) + np.float32(1e-6))
    return found
