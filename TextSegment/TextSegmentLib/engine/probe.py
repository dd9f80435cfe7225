"""Probe of a Python that is to run the engine.

Runs as a script inside that Python, and so imports only the standard library at first. Its argument is a list
of requirements as JSON; it prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from typing import Any


def missing(requirements: Sequence[str]) -> list[str]:
    """Return the requirements that are not met."""
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # pip bundles a copy
        from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

    def is_met(text: str) -> bool:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            return True  # of another Python or system
        try:
            return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
        except metadata.PackageNotFoundError:
            return False

    return [text for text in requirements if not is_met(text)]


# Modules that the engine imports when it starts, by the name of the requirement.
_IMPORTS = {"torch": "torch", "numpy": "numpy", "SimpleITK": "SimpleITK", "psutil": "psutil"}
_IMPORTS.update(fastapi="fastapi", uvicorn="uvicorn", safetensors="safetensors", scipy="scipy")


def attempt(failures: dict[str, str], what: str, function: Callable[[], Any]) -> Any:
    """Call a function and return its result; if it fails, record why in ``failures`` and return None."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - no failure may hide the rest of the report
        lines = str(error).strip().splitlines() or [""]
        failures[what] = f"{type(error).__name__}: {lines[0]}"
        traceback.print_exc()
        return None


def broken(requirements: Sequence[str], failures: dict[str, str]) -> list[str]:
    """Return the requirements, all of them met, whose packages cannot be imported."""
    found = []
    for text in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", text)[0]
        if name in _IMPORTS and (
            attempt(failures, name, partial(importlib.import_module, _IMPORTS[name])) is None
        ):
            found.append(text)
    return found


def devices(failures: dict[str, str]) -> list[tuple[str, int, int]]:
    """Return the devices of PyTorch as (name, free bytes, total bytes), without those that do not respond."""
    import psutil
    import torch

    memory = attempt(failures, "memory", psutil.virtual_memory)
    host = (memory.available, memory.total) if memory else (0, 0)
    found = [("cpu", *host)]
    for number in range(attempt(failures, "cuda", torch.cuda.device_count) or 0):
        name = f"cuda:{number}"
        card = attempt(failures, name, partial(torch.cuda.mem_get_info, number))
        found += [(name, *card)] if card else []
    if attempt(failures, "mps", torch.backends.mps.is_available):
        found.append(("mps", *host))
    return found


def models() -> list[tuple[str, bool, int]]:
    """Return the models as (name, whether the weights are installed, size in bytes)."""
    from textsegment.inference.weights.models import list_models

    return [(status.name, status.ready, status.size) for status in list_models()]


def main() -> None:
    """Print the report to standard output; tracebacks go to standard error."""
    requirements: list[str] = json.loads(sys.argv[1])
    failures: dict[str, str] = {}
    report: dict[str, Any] = {"python": list(sys.version_info[:3]), "missing": missing(requirements)}
    report["failures"] = failures
    if not report["missing"] and sys.version_info >= (3, 10):
        report["broken"] = broken(requirements, failures)
        if not report["broken"]:
            report["devices"] = attempt(failures, "devices", lambda: devices(failures)) or []
            report["models"] = attempt(failures, "models", models) or []
    print(json.dumps(report))


if __name__ == "__main__":
    main()
