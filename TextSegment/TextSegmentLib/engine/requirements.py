"""Which Python packages are needed: from the one list there is, the backend's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from TextSegmentLib import bundle

_EXTRAS = ("engine", "server")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def engine_requirements() -> tuple[str, ...]:
    """Return what the engine needs, such as ``torch>=2.10``.

    Raises:
        ImportError: The extension is not complete.
    """
    project = _project()
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(line for extra in _EXTRAS for line in extras[extra])]
    return tuple(dict.fromkeys(listed))


def requirements_named(*names: str) -> tuple[str, ...]:
    """Return the requirements of packages that some extra of the backend has.

    Raises:
        ImportError: The extension is not complete.
        KeyError: No extra has this package.
    """
    project = _project()
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = {name_of(line): line for lines in lists for line in lines}
    return tuple(lines[name] for name in names)


def name_of(requirement: str) -> str:
    """Return the name of the package in a requirement."""
    found = _NAME.match(requirement)
    assert found is not None, requirement
    return found[0]


def needs_torch(requirements: Iterable[str]) -> bool:
    """Whether PyTorch is among them."""
    return "torch" in map(name_of, requirements)


def _project() -> dict[str, Any]:
    text = (bundle.backend_source().parent / "pyproject.toml").read_text("utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project
