"""Python packages that the engine needs, from the single list in the backend's ``pyproject.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from TextSegmentLib import bundle

_EXTRAS = ("engine", "server")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def engine_requirements() -> tuple[str, ...]:
    """Return the requirements of the engine, such as ``torch>=2.10``.

    Raises:
        ImportError: The extension is incomplete.
    """
    project = _project()
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(line for extra in _EXTRAS for line in extras[extra])]
    return tuple(dict.fromkeys(listed))


def requirements_named(*names: str) -> tuple[str, ...]:
    """Return the requirements of packages, as the backend's dependencies or extras list them.

    Raises:
        ImportError: The extension is incomplete.
        KeyError: Neither the dependencies nor any extra list the package.
    """
    project = _project()
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = {name_of(line): line for lines in lists for line in lines}
    return tuple(lines[name] for name in names)


def name_of(requirement: str) -> str:
    """Return the package name in a requirement."""
    found = _NAME.match(requirement)
    assert found is not None, requirement
    return found[0]


def needs_torch(requirements: Iterable[str]) -> bool:
    """Return whether PyTorch is among the requirements."""
    return "torch" in map(name_of, requirements)


def _project() -> dict[str, Any]:
    text = (bundle.backend_source().parent / "pyproject.toml").read_text("utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project
