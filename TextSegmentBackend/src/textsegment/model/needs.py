"""Approximate free memory that a model needs, known before it is loaded; derived in docs/memory.md."""

from __future__ import annotations

from textsegment.errors import WeightsError

# Gigabytes (10⁹ bytes) on a GPU in fp16, and with everything in fp32, including libraries and a large scan.
_NEEDED_GB = {"sat-demo": (2.0, 2.0), "sat-nano": (8.0, 10.0), "sat-pro": (12.0, 19.0)}


def needed_gb(model: str, device: str) -> float:
    """Return the free memory that is enough for a model, in gigabytes (10⁹ bytes).

    Args:
        model: ``sat-demo``, ``sat-nano`` or ``sat-pro``.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        WeightsError: There is no such model.
    """
    if model not in _NEEDED_GB:
        raise WeightsError(f"There is no model {model!r}.", f"Choose one of {', '.join(_NEEDED_GB)}.")
    on_gpu, elsewhere = _NEEDED_GB[model]
    return on_gpu if device.startswith("cuda") else elsewhere
