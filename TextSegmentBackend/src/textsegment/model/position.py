"""Fixed three-dimensional sinusoidal position encoding (after Vaswani et al. 2017, arXiv 1706.03762)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def position_encoding(grid: tuple[int, int, int], channels: int) -> Tensor:
    """Encode the positions of a token grid.

    The channels are split evenly among the three axes, rounded up to whole sine/cosine pairs, and truncated
    at the end; within an axis, the sine and cosine of each frequency are adjacent.

    Args:
        grid: Number of tokens along h, w, d.
        channels: Number of channels of the encoding.

    Returns:
        float32 (h·w·d, channels), tokens in C order of (h, w, d).
    """
    per_axis = 2 * math.ceil(channels / 6)
    frequencies = 10000.0 ** (-torch.arange(0, per_axis, 2, dtype=torch.float32) / per_axis)
    encoding = torch.zeros(*grid, 3, per_axis)
    for axis, size in enumerate(grid):
        angles = torch.outer(torch.arange(size, dtype=torch.float32), frequencies)  # (size, per_axis / 2)
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # (size, per_axis)
        shape = [1, 1, 1, per_axis]
        shape[axis] = size
        encoding[..., axis, :] = waves.view(shape)
    return encoding.reshape(math.prod(grid), 3 * per_axis)[:, :channels].contiguous()
