"""From a patch's features and some prompts to probabilities, a slab of voxels at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from textsegment.geometry import Box
from textsegment.inference.accumulate import Accumulator
from textsegment.inference.device import CPU
from textsegment.model.sat import SAT

_FEATURES_SHARE = 4  # bytes of features for one of logits at once, at most


def decode_patch(
    pixel_features: Tensor,
    mask_embeddings: Tensor,
    box: Box,
    weight: Tensor,
    accumulator: Accumulator,
    block_bytes: int,
) -> None:
    """Add the probabilities of several prompts in one patch to their sums.

    Features are read once for all prompts, in slabs small enough that a slab's logits stay in the cache of a
    CPU: the full logits of a patch never exist.

    Args:
        pixel_features: (C, h, w, d), any floating type.
        mask_embeddings: float32 (N, C).
        box: Voxels of the image in the patch; the patch may reach beyond.
        weight: float32, shape of ``box``.
        accumulator: The sums of these prompts, with this patch begun.
        block_bytes: Bytes of logits at once.
    """
    # CPUs multiply half precision slowly.
    dtype = torch.float32 if pixel_features.device == CPU else pixel_features.dtype
    embeddings = mask_embeddings.to(dtype)
    height, width, depth = box.shape
    # Few prompts have few logits, but the features that make them, as float32, are to stay in a cache too.
    numbers = max(len(embeddings), len(pixel_features) // _FEATURES_SHARE) * width * depth
    rows = max(1, block_bytes // (4 * numbers))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        block = pixel_features[:, first:last, :width, :depth].to(dtype)
        probabilities = SAT.logits(block, embeddings).float().sigmoid_()
        x, y, z = box.start
        part = Box((x + first, y, z), (x + last, *box.stop[1:]))
        accumulator.add(part, probabilities, weight[first:last])
