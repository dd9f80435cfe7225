"""Detection of hardware support for bfloat16."""

from __future__ import annotations

import torch

_CPU_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16, so that it is no slower than float32.

    Without them a CPU takes about 50 times as long for a convolution (measured with PyTorch 2.13, AVX2), so
    that the program seems to hang.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type == "mps" or not hasattr(torch.cpu, "get_capabilities"):  # in older releases of PyTorch
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _CPU_INSTRUCTIONS)
