"""Python environment with pip and nothing else, created once."""

import atexit
import functools
import shutil
import tempfile
import venv
from pathlib import Path


@functools.cache
def fresh_python() -> str:
    """Returns the path of the environment's executable."""
    folder = Path(tempfile.mkdtemp(prefix="fresh_python_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    return str(folder / "bin" / "python")
