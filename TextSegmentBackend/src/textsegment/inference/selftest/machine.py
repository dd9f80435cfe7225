"""What a bug report needs to know about this computer, without anything that identifies it."""

from __future__ import annotations

import platform
import sys
from typing import Any

import numpy as np
import psutil
import torch


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return system, processor, memory and versions; no name of the computer or its user, and no path."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": str(capabilities.get("cpu_name") or platform.processor() or "unknown"),
        "cores": psutil.cpu_count(logical=False),
        "threads": torch.get_num_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "gpu_memory_bytes": torch.cuda.get_device_properties(device).total_memory
        if device.type == "cuda"
        else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def peak_memory_bytes(device: torch.device) -> dict[str, int]:
    """Return the most memory that this process has used so far, on the host and on a GPU."""
    if sys.platform == "win32":
        host = int(psutil.Process().memory_info().peak_wset)
    else:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    gpu = {"gpu": torch.cuda.max_memory_allocated(device)} if device.type == "cuda" else {}
    return {"host": host, **gpu}
