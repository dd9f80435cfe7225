"""Mean and variance of each channel over millions of voxels, for instance normalisation layers."""

from __future__ import annotations

import torch
from torch import Tensor


class Statistics:
    """Mean and variance of each channel, accumulated from slabs of rows, accurate to float32 precision.

    With one running float32 sum over a whole patch (8 million voxels), the variance is off by 4e-3. Here each
    position along d of a slab has its own statistics, over some hundred voxels, which are merged in double.
    """

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._means: list[Tensor] = []
        self._variances: list[Tensor] = []

    def add(self, slab: Tensor) -> None:
        """Add a slab (1, C, rows, w, d), channels last; all slabs have the same w and d."""
        _, channels, rows, width, depth = slab.shape
        lines = slab.permute(0, 2, 3, 4, 1).reshape(1, rows * width, 1, depth * channels)
        nothing = torch.zeros(
            depth * channels
        )  # of type float32, so that the result is too, whatever the type of the slab
        mean, variance = torch.batch_norm_update_stats(lines.permute(0, 3, 1, 2), nothing, nothing, 0.0)
        mean, variance = mean.view(depth, channels).double(), variance.view(depth, channels).double()
        centre = mean.mean(0)
        self._rows.append(rows)
        self._means.append(centre)
        self._variances.append((variance + (mean - centre) ** 2).mean(0))

    def joined(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance over all slabs, each float32 (C,)."""
        share = torch.tensor(self._rows, dtype=torch.float64)[:, None] / sum(self._rows)
        means, variances = torch.stack(self._means), torch.stack(self._variances)
        mean = (means * share).sum(0)
        variance = ((variances + (means - mean) ** 2) * share).sum(0)
        return mean.float(), variance.float()
