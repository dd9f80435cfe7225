"""Two labelled scans in a folder."""

from pathlib import Path

import pytest
from labelled_phantom import phantom, write_labels, write_scan


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """Folder with two scans, their label maps, and no description yet."""
    for number in (1, 2):
        write_scan(tmp_path / f"scan_{number}.nii.gz", number)
        write_labels(tmp_path / f"labels_{number}.nii.gz", phantom(number).labels)
    return tmp_path
