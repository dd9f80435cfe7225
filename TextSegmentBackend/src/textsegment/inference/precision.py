"""Numeric precision of the U-Net: as requested, or the fastest on this machine."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from textsegment.errors import DeviceError, OutputError
from textsegment.files.disk.atomic import atomic_output, make_folder
from textsegment.inference.device import CPU
from textsegment.inference.weights.store import home
from textsegment.model.slabs import can_compute, conv_speed_test

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

# Speed-up at which bfloat16 is worth its rounding errors, with a margin for other load on the machine.
_LEAST_GAIN = 1.25
_ROUNDS = 10


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the data type in which the U-Net computes; everything after it stays in float32.

    Args:
        name: ``auto``, ``fp32``, ``fp16`` or ``bf16``. ``auto`` means fp16 on CUDA devices with tensor cores
            (0.1 % of voxels differ, half the memory, several times faster); on a CPU, bf16 where
            ``cpu_precision`` finds it faster; and fp32 otherwise.
        device: Device on which the U-Net computes.

    Raises:
        DeviceError: The name is invalid, or the device does not support the precision.
    """
    if name == "auto":
        if device == CPU:
            return cpu_precision()
        tensor_cores = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)
        return torch.float16 if tensor_cores else torch.float32
    if name not in PRECISIONS:
        raise DeviceError("The precision is not known.", "Use auto, fp32, fp16 or bf16.")
    if name == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise DeviceError("This GPU cannot compute in bf16.", "Use --precision fp16.")
    if device == CPU and not can_compute(PRECISIONS[name]):
        raise DeviceError(f"This processor cannot compute in {name}.", "Use --precision auto, or fp32.")
    return PRECISIONS[name]


@cache
def cpu_precision() -> torch.dtype:
    """Return the data type to use for convolutions on this CPU: float32 unless bfloat16 is clearly faster.

    Matrix units for bfloat16 (AMX) decide the matter. Elsewhere bfloat16 may be twice as fast or fifty times
    as slow, so a convolution is timed once per machine and the result is stored in TextSegment's folder.
    """
    if _capabilities().get("amx_bf16", False):
        return torch.bfloat16
    kept, machine = _read(), _machine()
    if machine not in kept:
        kept[machine] = _gain_of_bfloat16()
        _write(kept)
    return torch.bfloat16 if kept[machine] >= _LEAST_GAIN else torch.float32


def _gain_of_bfloat16() -> float:
    """Time a convolution in both types, alternating, and return the speed-up of bfloat16 over float32.

    The timing uses one thread and, where available, its processor time, because the machine may be busy.
    """
    is_exact = time.get_clock_info("thread_time").resolution < 1e-5
    clock = time.thread_time if is_exact else time.perf_counter
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    convolutions = {dtype: conv_speed_test(dtype) for dtype in best}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in range(_ROUNDS):
            for dtype in best:
                start = clock()
                convolutions[dtype]()
                if number > 0:  # the first run includes compilation
                    best[dtype] = min(best[dtype], clock() - start)
            if best[torch.bfloat16] > 5 * best[torch.float32]:  # emulated: not worth timing further
                break
    finally:
        torch.set_num_threads(threads)
    return best[torch.float32] / best[torch.bfloat16]


def _capabilities() -> Mapping[str, Any]:
    return torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}


def _machine() -> str:
    """Return a key for what the result depends on: processor, usable instructions, and PyTorch."""
    name = str(_capabilities().get("cpu_name") or platform.processor() or platform.machine())
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, PyTorch {torch.__version__}"


def _file() -> Path:
    return home() / "bfloat16.json"


def _read() -> dict[str, float]:
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written, or damaged: measure again
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: float(gain) for key, gain in content.items() if isinstance(gain, int | float)}


def _write(gains: dict[str, float]) -> None:
    try:
        make_folder(home())
        with atomic_output(_file()) as temporary:
            temporary.write_text(json.dumps(gains, indent=1), encoding="utf-8")
    except (OSError, OutputError):
        return  # the folder is not writable: the next process measures again, which takes a tenth of a second
