"""Inference pipeline in its plainest form: the oracle for tests, and the baseline for benchmarks.

Like the published script, it recomputes everything for each request, in float32, with one accumulator of
probabilities and one of weights for every prompt, on the canonical grid. It caches and optimizes nothing.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from textsegment.model.sat import SAT


def starts(size: int, patch: int) -> list[int]:
    """Return the first voxel of each patch along one axis."""
    step = patch // 2
    count = max(math.ceil(size / step) - 1, 1)
    return [max(min(n * step, size - patch), 0) for n in range(count)]


def gaussian(patch_size: tuple[int, int, int]) -> np.ndarray:
    """Return the weight of each voxel of a patch."""
    impulse = np.zeros(patch_size)
    impulse[tuple(n // 2 for n in patch_size)] = 1
    weight = gaussian_filter(impulse, [n / 8 for n in patch_size], mode="constant")
    weight = (weight / weight.max() * 10).astype(np.float16)
    weight[weight == 0] = weight[weight > 0].min()
    return weight.astype(np.float32)


def probabilities(network: SAT, image: np.ndarray, queries: torch.Tensor) -> np.ndarray:
    """Return the probabilities of all prompts, averaged over the patches.

    Args:
        network: Network in float32, whose parameters require no gradients (else a graph takes memory).
        image: Cropped canonical image, normalized, float32 ``[x, y, z]``.
        queries: Queries, shape (N, width), one row per prompt.

    Returns:
        Probabilities, float32 (N, x, y, z).
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
                # With gradients enabled the network runs its plain layers, otherwise the memory-saving ones.
                with torch.enable_grad():
                    logits = network(torch.from_numpy(patch)[None, None], queries).detach()
                probability = torch.sigmoid(logits).numpy()[:, :h, :w, :d]
                here = (slice(None), slice(x, x + h), slice(y, y + w), slice(z, z + d))
                sums[here] += probability * weight[:h, :w, :d]
                weights[here] += weight[:h, :w, :d]
    return sums / weights
