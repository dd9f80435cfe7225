"""Large U-Net layers on x86 processors for inference: channels last, one slab of rows at a time.

With channels last, a row of voxels is contiguous in memory, and the library convolves it without a copy. A
slab is so small that everything besides the convolution happens in the caches: reading it, normalising the
output of the previous layer, and computing its own statistics. Each convolution thus reads its input and
writes its output once, over its input where shapes allow, so at full resolution only one tensor of features
exists.

Small layers, other devices and batches use :mod:`~textsegment.model.channels_first`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textsegment.model.channels_first import JoinedSkip
from textsegment.model.statistics import Statistics

SMALL_VOXELS = 2**19
"""Maximum number of output voxels of layers that keep channels first.

They would gain little, and the order of summation matters: a bottleneck of few voxels amplifies rounding.
"""

ENCODER_VOXELS = 2**20
"""Maximum number of output voxels of float32 layers of the *encoder* that keep channels first.

The deeper layers amplify whatever the first ones round differently, the more so the fewer voxels the deepest
one has: in patches of up to 96×96×96 voxels to 1e-5 of the result, even if the large layers were exact. With
the plain layers' own order of summation in the encoder it is 4e-6 (``benchmarks/rounding.py``).
"""

SLAB_BYTES = 12 * 2**20
"""Approximate size of a slab's output: with its input it fits the last-level cache, and its memory is reused.

Above 32 MiB the C library requests fresh memory from the system each time, which costs more than its use.
"""

_LAYOUT = torch.channels_last_3d
_HAS_LIBRARY: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's
_SUITED = _HAS_LIBRARY and platform.machine().lower() in ("x86_64", "amd64")


@dataclass(frozen=True)
class Convolved:
    """Output of a convolution that its reader has to normalise and activate.

    Attributes:
        values: Raw output (1, C, h, w, d), channels last.
        mean: Mean of ``values`` per channel, float32 (C,).
        variance: Variance of ``values`` per channel, float32 (C,).
        norm: Normalisation layer with weight, bias and epsilon.
        negative_slope: Negative slope of the leaky ReLU.
    """

    values: Tensor
    mean: Tensor
    variance: Tensor
    norm: nn.InstanceNorm3d
    negative_slope: float

    def write_rows(self, first: int, last: int, out: Tensor) -> None:
        """Write rows first to last − 1, normalised and activated, to ``out`` (1, C, last − first, w, d)."""
        norm, nothing = self.norm, torch.empty(0)
        given = (self.values[:, :, first:last], norm.weight, norm.bias, self.mean, self.variance)
        torch.native_batch_norm(*given, False, 0.0, norm.eps, out=(out, nothing, nothing))
        F.leaky_relu_(out, self.negative_slope)

    def finish(self) -> Tensor:
        """Normalise and activate in place; returns (1, C, h, w, d)."""
        height = self.values.shape[2]
        rows = _rows(self.values)
        for first in range(0, height, rows):
            last = min(first + rows, height)
            self.write_rows(first, last, self.values[:, :, first:last])
        return self.values


class _Upsampled:
    """Source of the rows of a joined skip: channels of the upsampled features first, then of the skip."""

    def __init__(self, joined: JoinedSkip, dtype: torch.dtype) -> None:
        self.values = joined.skip.to(dtype).contiguous(memory_format=_LAYOUT)
        self._deeper = joined.deeper.to(dtype).contiguous(memory_format=_LAYOUT)
        weight = joined.upsample.weight.to(dtype)  # (below, C, 2, 2, 2)
        # 2 × 2 matrices of shape (2 C, below), each for two consecutive output voxels along d.
        self._weights = [[weight[:, :, i, j].permute(2, 1, 0).flatten(0, 1) for j in (0, 1)] for i in (0, 1)]
        bias = joined.upsample.bias
        self._bias = None if bias is None else bias.to(dtype).repeat(2)

    def write_rows(self, first: int, last: int, out: Tensor) -> None:
        """Write rows first to last − 1 to ``out`` (1, 2 C, last − first, w, d); both bounds are even."""
        channels = self.values.shape[1]
        out[:, channels:].copy_(self.values[:, :, first:last])
        deeper = self._deeper[0, :, first // 2 : last // 2].permute(1, 2, 3, 0)  # (h/2, w/2, d/2, below)
        h, w, d = deeper.shape[:3]
        split = out[0, :channels].permute(1, 2, 3, 0).view(h, 2, w, 2, d, 2, channels)
        for i in (0, 1):
            for j in (0, 1):  # kernel and stride 2: each output voxel depends on one input voxel
                pairs = F.linear(deeper, self._weights[i][j], self._bias)
                split[:, i, :, j].copy_(pairs.view(h, w, d, 2, channels))


def takes(conv: nn.Conv3d, x: Tensor | Convolved | JoinedSkip) -> bool:
    """Return whether ``convolve`` handles a layer with this convolution and input."""
    values = x.skip if isinstance(x, JoinedSkip) else x if isinstance(x, Tensor) else x.values
    voxels = values[0, 0].numel() // conv.stride[0] ** 3
    return (
        values.device.type == "cpu"
        and len(values) == 1
        and values.dtype in (torch.float32, torch.bfloat16)
        and (is_large_input(voxels, _computed_in(x)) if isinstance(x, Tensor) else is_large(voxels))
    )


def is_large(voxels: int) -> bool:
    """Return whether a layer of the decoder with this many output voxels runs in slabs on this CPU."""
    return _SUITED and voxels > SMALL_VOXELS


def is_large_input(voxels: int, dtype: torch.dtype) -> bool:
    """Return whether a layer of the encoder with this many output voxels runs in slabs on this CPU."""
    return is_large(voxels) and (voxels > ENCODER_VOXELS or dtype != torch.float32)


def scratch_bytes(row: int) -> int:
    """Return the approximate scratch memory of a layer in bytes, given the bytes of a row of its output."""
    rows = _slab_rows(row)
    return row * (2 * (rows + 3) + 2 * rows)  # input of twice the channels, result, and what it is made from


def convolve(
    conv: nn.Conv3d, norm: nn.InstanceNorm3d, negative_slope: float, x: Tensor | Convolved | JoinedSkip
) -> Convolved:
    """Apply a 3×3×3 convolution with padding 1, leaving norm and leaky ReLU to the reader of the result.

    Args:
        conv: Convolution with stride 1, or for a tensor also 2.
        norm: Normalisation layer after the convolution.
        negative_slope: Negative slope of the leaky ReLU after the normalisation.
        x: Input (1, in, h, w, d) for which ``takes(conv, x)`` holds. A ``Convolved`` and the skip of a
            ``JoinedSkip`` are overwritten by the result.
    """
    dtype = _computed_in(x)
    weight, bias = conv.weight, None if conv.bias is None else conv.bias.to(dtype)
    if isinstance(x, Tensor):
        if x.stride(1) == 0:  # one repeated grey channel
            x, weight = x[:, :1], weight.sum(1, keepdim=True)
        x = _channels_last(x.to(dtype))
        rows_out = [(n - 1) // conv.stride[0] + 1 for n in x.shape[2:]]
        out = torch.empty((1, conv.out_channels, *rows_out), dtype=dtype, memory_format=_LAYOUT)
        slabs = _padded(x, conv.stride[0], _rows(out))
    else:
        source = _Upsampled(x, dtype) if isinstance(x, JoinedSkip) else x
        out = source.values
        slabs = _refilled(source, conv.in_channels, _rows(out))
    weight = _channels_last(weight.to(dtype))
    statistics = Statistics()
    for first, slab in slabs:
        part = torch.mkldnn_convolution(slab, weight, bias, [0, 1, 1], conv.stride, [1, 1, 1], 1)
        statistics.add(part)
        out[:, :, first : first + part.shape[2]].copy_(part)
    return Convolved(out, *statistics.joined(), norm, negative_slope)


def conv_speed_test(dtype: torch.dtype) -> Callable[[], Tensor]:
    """Return a function to time: a convolution of 0.8 GFLOP in a data type, with layout as in the U-Net."""
    # PyTorch hands a convolution to the library from a certain size on; 64 × 6 × 56 is above it.
    x, weight = torch.zeros(1, 64, 6, 56, 16, dtype=dtype), torch.zeros(64, 64, 3, 3, 3, dtype=dtype)
    if _SUITED:
        x, weight = _channels_last(x), _channels_last(weight)
    return lambda: F.conv3d(x, weight, padding=(0, 1, 1))


def can_compute(dtype: torch.dtype) -> bool:
    """Return whether this CPU can run large layers in a data type; without slabs, PyTorch can run all."""
    if not _SUITED:
        return True
    x, weight = torch.zeros(1, 16, 3, 4, 4, dtype=dtype), torch.zeros(16, 16, 3, 3, 3, dtype=dtype)
    try:
        torch.mkldnn_convolution(
            _channels_last(x), _channels_last(weight), None, [0, 1, 1], [1] * 3, [1] * 3, 1
        )
    except RuntimeError:
        return False
    return True


def finished(x: Tensor | Convolved) -> Tensor:
    """Return the features as a tensor (B, C, h, w, d)."""
    return x if isinstance(x, Tensor) else x.finish()


def mean_of_blocks(x: Tensor, size: int) -> Tensor:
    """Return the means over cubes, (B, C, h/size, w/size, d/size), without a copy if channels are last."""
    if not _is_channels_last(x) or x.dtype == torch.float64:
        return F.avg_pool3d(x, size)
    channels = x.shape[1]
    pooled = []
    for slab in torch.split(x[0].permute(1, 2, 3, 0), size):  # (size, w, d, C)
        lines = slab.reshape(-1, size, channels).sum(1, dtype=torch.float32)  # along d
        lines = lines.view(size, slab.shape[1] // size, size, slab.shape[2] // size, channels)
        pooled.append(lines.sum((0, 2)))
    return (torch.stack(pooled) / size**3).permute(3, 0, 1, 2)[None]


def _padded(x: Tensor, stride: int, rows: int) -> Iterator[tuple[int, Tensor]]:
    """Yield, for each slab of the output, its first row and its input, padded by one row at the ends."""
    height = x.shape[2]
    for first in range(0, (height - 1) // stride + 1, rows):
        start, stop = first * stride - 1, min((first + rows - 1) * stride + 2, height + 1)
        part = x[:, :, max(start, 0) : min(stop, height)]
        if start < 0 or stop > height:
            part = _channels_last(F.pad(part, (0, 0, 0, 0, int(start < 0), int(stop > height))))
        yield first, part


def _refilled(source: Convolved | _Upsampled, channels: int, rows: int) -> Iterator[tuple[int, Tensor]]:
    """Yield, for each slab of the output, its first row and its input, read into one scratch buffer.

    A row of the output needs the next row of the input, so slabs of the output lag one row behind and may
    overwrite the source. The buffer holds the last two rows of the previous slab, the new rows, and at the
    end one row of padding.
    """
    height, width, depth = source.values.shape[2:]
    shape = (1, channels, rows + 3, width, depth)
    scratch = torch.empty(shape, dtype=source.values.dtype, memory_format=_LAYOUT)
    scratch[:, :, 1].zero_()
    for first in range(0, height, rows):
        last = min(first + rows, height)
        end = 2 + last - first
        source.write_rows(first, last, scratch[:, :, 2:end])
        if last == height:
            scratch[:, :, end].zero_()
            end += 1
        start = int(first == 0)
        yield first - 1 + start, scratch[:, :, start:end]
        if last < height:
            for row in (0, 1):
                scratch[:, :, row].copy_(scratch[:, :, end - 2 + row])


def _rows(out: Tensor) -> int:
    return _slab_rows(out[:, :, 0].nbytes)


def _slab_rows(row_bytes: int) -> int:
    """Return the number of output rows in a slab, an even number because upsampling doubles rows."""
    return max(2, round(SLAB_BYTES / (2 * row_bytes)) * 2)


def _computed_in(x: Tensor | Convolved | JoinedSkip) -> torch.dtype:
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return (x.skip if isinstance(x, JoinedSkip) else x if isinstance(x, Tensor) else x.values).dtype


def _channels_last(x: Tensor) -> Tensor:
    if x.shape[1] == 1:  # both layouts are the same then, and the library would take it for the other one
        return x.contiguous().as_strided(x.shape, (x[0].numel(), 1, *x[0, 0].contiguous().stride()))
    return x.contiguous(memory_format=_LAYOUT)


def _is_channels_last(x: Tensor) -> bool:
    return x.shape[1] > 1 and x.is_contiguous(memory_format=_LAYOUT) and not x.is_contiguous()
