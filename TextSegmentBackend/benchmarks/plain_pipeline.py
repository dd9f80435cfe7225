"""The pipeline in its plainest form, as the oracle of tests and the opponent of benchmarks.

It does what the published script does: everything again for each request, float32, one accumulator of
probabilities and one of weights for every prompt, on the canonical grid. Nothing is kept, nothing is clever.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from textsegment.model.sat import SAT


def starts(size: int, patch: int) -> list[int]:
    """First voxels of the patches along one axis."""
    step = patch // 2
    count = max(math.ceil(size / step) - 1, 1)
    return [max(min(n * step, size - patch), 0) for n in range(count)]


def gaussian(patch_size: tuple[int, int, int]) -> np.ndarray:
    """Weight of each voxel of a patch."""
    impulse = np.zeros(patch_size)
    impulse[tuple(n // 2 for n in patch_size)] = 1
    weight = gaussian_filter(impulse, [n / 8 for n in patch_size], mode="constant")
    weight = (weight / weight.max() * 10).astype(np.float16)
    weight[weight == 0] = weight[weight > 0].min()
    return weight.astype(np.float32)


def probabilities(network: SAT, image: np.ndarray, queries: torch.Tensor) -> np.ndarray:
    """Average the probabilities of all patches.

    Args:
        network: The network, in float32; with parameters that need no gradients, else a graph takes memory.
        image: Cropped canonical image, normalised, float32 ``[x, y, z]``.
        queries: (N, width), one row a prompt.

    Returns:
        float32 (N, x, y, z).
    """
    size = network.config.patch_size
    weight = gaussian(size)
    sums = np.zeros((len(queries), *image.shape), dtype=np.float32)
    weights = np.zeros((len(queries), *image.shape), dtype=np.float32)
    for x in starts(image.shape[0], size[0]):
        for y in starts(image.shape[1], size[1]):
            for z in starts(image.shape[2], size[2]):
                real = image[x : x + size[0], y : y + size[1], z : z + size[2]]
                h, w, d = real.shape
                patch = np.zeros(size, dtype=np.float32)
                patch[:h, :w, :d] = real
                # With gradients the network runs its plain layers, without them the sparing ones.
                with torch.enable_grad():
                    logits = network(torch.from_numpy(patch)[None, None], queries).detach()
                probability = torch.sigmoid(logits).numpy()[:, :h, :w, :d]
                here = (slice(None), slice(x, x + h), slice(y, y + w), slice(z, z + d))
                sums[here] += probability * weight[:h, :w, :d]
                weights[here] += weight[:h, :w, :d]
    return sums / weights
