"""Memory limits of a request, and fallbacks when memory runs out; docs/memory.md derives the figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, prod

import torch

from textsegment.inference.accumulate import window_shape
from textsegment.inference.device import CPU, free_bytes
from textsegment.inference.image.patches import PatchGrid
from textsegment.model import slabs
from textsegment.model.bfloat16 import has_fast_bfloat16
from textsegment.model.channels_first import slab_elements
from textsegment.model.config import SATConfig

# Bytes of logits computed at once: what fits the caches of a CPU, or what keeps a GPU busy.
_CPU_BLOCK = 4 * 2**20
_GPU_BLOCK = 64 * 2**20
_SMALLEST_ACCUMULATORS = 64 * 2**20
# Shares of the memory that is free when the engine starts.
_HOST_CACHE_SHARE = 0.25
_DEVICE_CACHE_SHARE = 0.9


@dataclass(frozen=True)
class MemoryPlan:
    """How a request uses memory.

    Attributes:
        precision: Data type in which the U-Net computes.
        block_bytes: Bytes of logits computed at once.
        keeps_features: Whether features are kept for the next group of prompts and the next request.
        accumulates_on: Device on which probabilities are summed.
    """

    precision: torch.dtype
    block_bytes: int
    keeps_features: bool
    accumulates_on: torch.device


def ladder(device: torch.device, precision: torch.dtype) -> Iterator[MemoryPlan]:
    """Yield memory plans, each to be tried after the previous one ran out of memory."""
    plan = MemoryPlan(precision, _CPU_BLOCK if device == CPU else _GPU_BLOCK, True, device)
    yield plan
    plan = replace(plan, block_bytes=plan.block_bytes // 16)
    yield plan
    plan = replace(plan, keeps_features=False)
    yield plan
    if device != CPU:
        plan = replace(plan, accumulates_on=CPU)
        yield plan
    smaller = torch.bfloat16 if device == CPU else torch.float16
    if precision == torch.float32 and (device != CPU or has_fast_bfloat16(device)):
        yield replace(plan, precision=smaller)


def features_bytes(config: SATConfig, precision: torch.dtype) -> int:
    """Return the size in bytes of the per-voxel features of one patch."""
    return config.features[0] * prod(config.patch_size) * precision.itemsize


def unet_bytes(config: SATConfig, device: torch.device, precision: torch.dtype) -> int:
    """Return the peak size in bytes of the activations of the U-Net for one patch.

    Where layers overwrite their input (``model.slabs``), this is one tensor of full resolution, which is
    first the skip and then the output, the features of the coarser levels, and scratch. Elsewhere it is two
    tensors of full resolution (input and output of a convolution, or a skip and an output), the features of
    the next coarser level, and scratch of three times a slab (its padded input and its output).
    """
    voxels = prod(config.patch_size)
    full = config.features[0] * voxels
    if device == CPU and slabs.is_large_input(voxels, precision):
        coarser = sum(channels * (voxels >> 3 * n) for n, channels in enumerate(config.features[1:], 1))
        size = precision.itemsize
        return (full + coarser) * size + slabs.scratch_bytes(full // config.patch_size[0] * size)
    coarser = config.features[1] * voxels // 8
    return int(2 * full + coarser + 3 * slab_elements(3 * full)) * precision.itemsize


def cache_bytes(
    config: SATConfig, device: torch.device, precision: torch.dtype, limit: int | None
) -> tuple[int, int]:
    """Return the limits of the feature cache in bytes, on the device and in host memory.

    Args:
        config: Configuration of the network, whose weights are already on the device.
        device: Device on which the network computes.
        precision: Data type in which the network computes.
        limit: Limit for both together; None for a quarter of the free host memory plus the memory that a GPU
            has left while a patch is computed.
    """
    host = int(free_bytes(CPU) * _HOST_CACHE_SHARE)
    on_device = 0
    if device != CPU:
        busy = unet_bytes(config, device, precision) + accumulator_bytes(config, precision) + 4 * _GPU_BLOCK
        on_device = max(int(free_bytes(device) * _DEVICE_CACHE_SHARE) - busy, 0)
    if limit is not None:
        on_device = min(on_device, limit)
        host = limit - on_device
    return on_device, host


def accumulator_bytes(config: SATConfig, precision: torch.dtype) -> int:
    """Return the number of bytes for sums of probabilities while the features of the scan are kept.

    This is half the size of the features of a patch: little compared with the U-Net, but enough prompts at
    once that reading the features again for the next group costs little time.
    """
    return max(features_bytes(config, precision) // 2, _SMALLEST_ACCUMULATORS)


def group_size(prompts: int, grid: PatchGrid, budget: int) -> int:
    """Return how many prompts to decode together so that their sums stay within a budget in bytes."""
    most = max(1, budget // (4 * prod(window_shape(grid))))
    return ceil(prompts / ceil(prompts / most))
