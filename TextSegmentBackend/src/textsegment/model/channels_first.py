"""Memory-efficient convolution and normalisation of large volumes for inference, with channels first.

It serves GPUs, batches and small layers; :mod:`~textsegment.model.slabs` serves large layers on x86 CPUs.

At full resolution one tensor of features takes gigabytes. A 3×3×3 convolution needs few rows of its input at
a time, and instance statistics concern one channel each. So the work is done in slabs of rows and groups of
channels, and besides input and output only a fixed amount of scratch memory is needed. Results are the same
up to rounding of float32 sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLAB_ELEMENTS = 2**26
"""Maximum number of input and output elements of a slab: 256 MiB in float32."""

SLABS = 8
"""Minimum number of slabs of a layer, unless it is small."""

# Small layers run as a whole, so that their sums are bit-identical to those of the plain layers. That matters
# where a bottleneck of few voxels amplifies rounding errors.
_SMALL_ELEMENTS = 2**25


def slab_elements(layer_elements: float) -> float:
    """Return the number of input and output elements of one slab, given that of its layer."""
    return min(SLAB_ELEMENTS, max(layer_elements / SLABS, _SMALL_ELEMENTS))


@dataclass(frozen=True)
class JoinedSkip:
    """Virtual concatenation of upsampled features and the skip at their resolution, computed row by row.

    Attributes:
        upsample: Transposed convolution with kernel size and stride 2.
        deeper: Features to upsample, (B, C_below, h/2, w/2, d/2).
        skip: Skip features, (B, C, h, w, d).
    """

    upsample: nn.ConvTranspose3d
    deeper: Tensor
    skip: Tensor

    def rows(self, first: int, last: int) -> Tensor:
        """Return rows first to last − 1 of the concatenation, (B, 2 C, last − first, w, d)."""
        low, high = first // 2, (last + 1) // 2  # rows 2n and 2n + 1 come from row n alone
        upsampled = self.upsample(self.deeper[:, :, low:high])[:, :, first - 2 * low : last - 2 * low]
        return torch.cat((upsampled, self.skip[:, :, first:last]), dim=1)


def convolve(conv: nn.Conv3d, x: Tensor | JoinedSkip) -> Tensor:
    """Apply a 3×3×3 convolution with padding 1, one slab of rows at a time.

    Args:
        conv: Convolution with stride 1 or 2.
        x: Input, (B, in, h, w, d).

    Returns:
        Output, (B, out, h/stride, w/stride, d/stride).
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
    """Apply instance normalisation and leaky ReLU to (B, C, h, w, d) in place, some channels at a time."""
    channels = max(1, SLAB_ELEMENTS // (8 * x[:, 0].numel()))
    weights, biases = torch.split(norm.weight, channels), torch.split(norm.bias, channels)
    for group, weight, bias in zip(torch.split(x, channels, dim=1), weights, biases, strict=True):
        group.copy_(F.instance_norm(group, weight=weight, bias=bias, eps=norm.eps))
    return F.leaky_relu_(x, negative_slope)
