"""Fetches the web page's files of others before the package is built. The rest is in ``pyproject.toml``."""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TOOL = Path(__file__).parent / "tools" / "web_assets.py"


class BuildWithAssets(build_py):
    """Builds the package with those files where npm is there, and without them where not."""

    def run(self) -> None:
        """Fetch, then build."""
        if TOOL.is_file():
            subprocess.run([sys.executable, str(TOOL), "--where-possible"], check=True)
        super().run()


setup(cmdclass={"build_py": BuildWithAssets})
