"""3D Slicer's sample chest CT, which comes with the package slicerio."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from textsegment.errors import DependencyMissingError


def sample_scan() -> Path:
    """Return the path of 3D Slicer's sample chest CT in the slicerio package.

    Raises:
        DependencyMissingError: If the package is not installed or does not contain the scan.
    """
    spec = find_spec("slicerio")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        scan = Path(folder) / "data" / "CTChest4.nrrd"
        if scan.is_file():
            return scan
    raise DependencyMissingError(
        "The package slicerio, which holds the sample scan, is not installed.", "Run `pip install slicerio`."
    )
