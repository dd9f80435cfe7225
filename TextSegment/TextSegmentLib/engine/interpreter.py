"""Python that runs the engine: Slicer's own, or one that the user chose."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import slicer

from TextSegmentLib import bundle

_LAUNCHER = "PythonSlicer"
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH")


@dataclass(frozen=True)
class Interpreter:
    """A Python executable.

    Attributes:
        executable: Path of the executable.
        is_slicers: Whether it is the one that comes with Slicer.
    """

    executable: str
    is_slicers: bool

    def environment(self) -> dict[str, str]:
        """Return the environment for a process of this Python, with the bundled backend on its path.

        A Python other than Slicer's gets the environment that Slicer was started in, without Slicer's library
        paths.
        """
        variables = dict(os.environ)
        if not self.is_slicers:
            variables = _startup_environment()
        variables["PYTHONPATH"] = str(bundle.backend_source())
        variables["PYTHONIOENCODING"] = "utf-8"
        return variables


def chosen_interpreter(path: str) -> Interpreter:
    """Return the Python at a path; Slicer's own if the path is empty."""
    if path:
        return Interpreter(path, is_slicers=False)
    # PythonSlicer is on the path; sys.executable may be Slicer itself and would start another Slicer.
    is_python = Path(sys.executable or "").stem.startswith("python")
    own = shutil.which(_LAUNCHER) or (sys.executable if is_python else _LAUNCHER)
    return Interpreter(own, is_slicers=True)


def _startup_environment() -> dict[str, str]:
    variables = {name: value for name, value in slicer.util.startupEnvironment().items() if value is not None}
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith("PYTHON") and name not in _LIBRARY_PATHS
    }
