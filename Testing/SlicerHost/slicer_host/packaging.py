"""Stand-in for ``slicer.packaging``: writes down what was asked to be installed, and installs nothing."""

import importlib.metadata
import re
import sys
import types
from pathlib import Path

import slicer

asked: list[list[str]] = []
"""The requirements of each call so far; a test empties it."""


def load_requirements(path) -> list[str]:
    """Returns the requirements in a file, one a line."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pip_check(req) -> bool:
    """Says whether packages of these names are installed; versions are not compared."""
    names = [re.match(r"[\w.-]+", str(item)).group() for item in ([req] if isinstance(req, str) else req)]
    installed = {distribution.name.lower() for distribution in importlib.metadata.distributions()}
    return all(name.lower() in installed for name in names)


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    """Writes down the requirements."""
    _write_down(requirements)


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    logCallback=None,
    completedCallback=None,
):
    """Writes down the requirements."""
    _write_down(requirements)
    if completedCallback is not None:
        completedCallback(0)


def install() -> None:
    """Makes ``slicer.packaging`` and, by it, ``slicer.util.pip_install`` work."""
    module = types.ModuleType("slicer.packaging")
    for function in (load_requirements, pip_check, pip_ensure, pip_install):
        setattr(module, function.__name__, function)
    sys.modules["slicer.packaging"] = module
    slicer.packaging = module


def _write_down(requirements) -> None:
    asked.append([requirements] if isinstance(requirements, str) else [str(item) for item in requirements])
