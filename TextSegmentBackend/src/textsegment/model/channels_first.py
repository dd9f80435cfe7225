"""Convolution and normalisation of large volumes in little memory, for inference; channels come first.

For GPUs, batches and small layers; :mod:`~textsegment.model.slabs` has the large ones of a processor.

At full resolution one tensor of features takes gigabytes. A 3×3×3 convolution needs few rows of its input at
a time, and instance statistics are those of one channel: so the work is done in slabs of rows and groups of
channels, and besides input and output only scratch of a fixed size exists. Results are the same up to the
rounding of float32 sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLAB_ELEMENTS = 2**26
"""Numbers that go into and come out of one slab at most: 256 MiB in float32."""

SLABS = 8
"""A layer is cut into so many slabs, or more, unless it is small."""

# Small layers run whole: then their sums are those of the plain layers to the last bit, which matters where a
# bottleneck of few voxels magnifies rounding.
_SMALL_ELEMENTS = 2**25


def slab_elements(layer_elements: float) -> float:
    """Return how many of the numbers that go into and come out of a layer are in one slab."""
    return min(SLAB_ELEMENTS, max(layer_elements / SLABS, _SMALL_ELEMENTS))


@dataclass(frozen=True)
class JoinedSkip:
    """Upsampled features beside the skip of their resolution, as if concatenated; made row by row.

    Attributes:
        upsample: Transposed convolution, kernel and stride 2.
        deeper: (B, C_below, h/2, w/2, d/2).
        skip: (B, C, h, w, d).
    """

    upsample: nn.ConvTranspose3d
    deeper: Tensor
    skip: Tensor

    def rows(self, first: int, last: int) -> Tensor:
        """Return rows first…last − 1 of the concatenation, (B, 2 C, last − first, w, d)."""
        low, high = first // 2, (last + 1) // 2  # rows 2n and 2n + 1 come from row n alone
        upsampled = self.upsample(self.deeper[:, :, low:high])[:, :, first - 2 * low : last - 2 * low]
        return torch.cat((upsampled, self.skip[:, :, first:last]), dim=1)


def convolve(conv: nn.Conv3d, x: Tensor | JoinedSkip) -> Tensor:
    """Apply a 3×3×3 convolution with padding 1, some rows at a time.

    Args:
        conv: The convolution; stride 1 or 2.
        x: (B, in, h, w, d).

    Returns:
        (B, out, h/stride, w/stride, d/stride).
    """
    height, width, depth = (x if isinstance(x, Tensor) else x.skip).shape[2:]
    stride = conv.stride[0]
    rows_out = (height - 1) // stride + 1
    per_row = (conv.in_channels * stride + conv.out_channels / stride**2) * width * depth
    rows = max(1, int(slab_elements(per_row * rows_out) / per_row))
    if rows >= rows_out:
        whole: Tensor = conv(x if isinstance(x, Tensor) else x.rows(0, height))
        return whole
    out: Tensor | None = None
    for first in range(0, rows_out, rows):
        last = min(first + rows, rows_out)
        start, stop = first * stride - 1, (last - 1) * stride + 2  # rows of the input, padding included
        inside = max(start, 0), min(stop, height)
        part = x[:, :, inside[0] : inside[1]] if isinstance(x, Tensor) else x.rows(*inside)
        part = F.pad(part, (0, 0, 0, 0, inside[0] - start, stop - inside[1]))
        part = F.conv3d(part, conv.weight, conv.bias, conv.stride, padding=(0, 1, 1))
        if out is None:
            out = part.new_empty((len(part), conv.out_channels, rows_out, *part.shape[3:]))
        out[:, :, first:last] = part
    assert out is not None
    return out


def normalize_in_place(x: Tensor, norm: nn.InstanceNorm3d, negative_slope: float) -> Tensor:
    """Apply instance normalisation and leaky ReLU to (B, C, h, w, d), some channels at a time."""
    channels = max(1, SLAB_ELEMENTS // (8 * x[:, 0].numel()))
    weights, biases = torch.split(norm.weight, channels), torch.split(norm.bias, channels)
    for group, weight, bias in zip(torch.split(x, channels, dim=1), weights, biases, strict=True):
        group.copy_(F.instance_norm(group, weight=weight, bias=bias, eps=norm.eps))
    return F.leaky_relu_(x, negative_slope)
