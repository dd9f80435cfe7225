"""The scan that most structure sets are written for."""

import pytest
from made_scans import OBLIQUE
from pictured_sets import made_scan


@pytest.fixture
def scan(tmp_path):
    return made_scan(tmp_path / "scan", OBLIQUE)
