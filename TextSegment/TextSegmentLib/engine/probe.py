"""Looks at a Python that shall run the engine. Runs inside it, as a script: nothing but the standard library.

Reads a list of requirements as JSON from its argument, and prints one line of JSON.
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
    """Return those of the requirements that are not met."""
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # pip has it, where nothing else does
        from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

    def is_met(text: str) -> bool:
        requirement = Requirement(text)
        try:
            return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
        except metadata.PackageNotFoundError:
            return False

    return [text for text in requirements if not is_met(text)]


# What the engine loads at its start, by the name of the requirement.
_IMPORTS = {"torch": "torch", "numpy": "numpy", "SimpleITK": "SimpleITK", "psutil": "psutil"}
_IMPORTS.update(fastapi="fastapi", uvicorn="uvicorn", safetensors="safetensors", scipy="scipy")


def attempt(failures: dict[str, str], what: str, function: Callable[[], Any]) -> Any:
    """Return what a function returns; None if it fails, which is written down."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest is to be known all the same
        lines = str(error).strip().splitlines() or [""]
        failures[what] = f"{type(error).__name__}: {lines[0]}"
        traceback.print_exc()
        return None


def broken(requirements: Sequence[str], failures: dict[str, str]) -> list[str]:
    """Return those of the requirements, all met, whose packages cannot be imported."""
    found = []
    for text in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", text)[0]
        if name in _IMPORTS and (
            attempt(failures, name, partial(importlib.import_module, _IMPORTS[name])) is None
        ):
            found.append(text)
    return found


def devices(failures: dict[str, str]) -> list[tuple[str, int, int]]:
    """Return where PyTorch can compute, with free and all memory in bytes; without what does not answer."""
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
    """Return the models: name, whether the weights are here, bytes."""
    from textsegment.inference.weights.models import list_models

    return [(status.name, status.ready, status.size) for status in list_models()]


def main() -> None:
    """Print what there is to know; tracebacks go to the other pipe."""
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
