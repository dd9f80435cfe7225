"""Decode the features of a patch and some prompts to probabilities, one slab of voxels at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from textsegment.geometry import Box
from textsegment.inference.accumulate import Accumulator
from textsegment.inference.device import CPU
from textsegment.inference.encode import not_finite
from textsegment.model.sat import SAT

_FEATURES_SHARE = 4  # maximum bytes of features per byte of logits computed at once


def decode_patch(
    pixel_features: Tensor,
    mask_embeddings: Tensor,
    box: Box,
    weight: Tensor,
    accumulator: Accumulator,
    block_bytes: int,
) -> None:
    """Add the probabilities of several prompts in one patch to their accumulated sums.

    Features are read once for all prompts, in slabs so small that the logits of a slab stay in the cache of a
    CPU; the full logits of a patch never exist.

    Args:
        pixel_features: (C, h, w, d), any floating-point type.
        mask_embeddings: float32 (N, C).
        box: Voxels of the image covered by the patch; the patch may extend beyond the image.
        weight: float32, with the shape of ``box``.
        accumulator: Sums of these prompts; ``begin_patch`` has been called for this patch.
        block_bytes: Bytes of logits computed at once.

    Raises:
        WeightsError: The embeddings are not finite.
    """
    # CPUs are slow at half-precision multiplication.
    dtype = torch.float32 if pixel_features.device == CPU else pixel_features.dtype
    embeddings = mask_embeddings.to(dtype)
    if not torch.isfinite(embeddings).all():  # a mask of NaN would look as if nothing had been found
        raise not_finite()
    height, width, depth = box.shape
    # Few prompts have few logits, but their features, as float32, should stay in the cache as well.
    numbers = max(len(embeddings), len(pixel_features) // _FEATURES_SHARE) * width * depth
    rows = max(1, block_bytes // (4 * numbers))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        block = pixel_features[:, first:last, :width, :depth].to(dtype)
        probabilities = SAT.logits(block, embeddings).float().sigmoid_()
        x, y, z = box.start
        part = Box((x + first, y, z), (x + last, *box.stop[1:]))
        accumulator.add(part, probabilities, weight[first:last])
