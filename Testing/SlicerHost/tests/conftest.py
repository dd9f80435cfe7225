from pathlib import Path

import pytest
import slicer

from slicer_host import host


@pytest.fixture(scope="session")
def tiny_module():
    module = host.load_module(Path(__file__).parent / "Tiny" / "Tiny.py")
    slicer.app.startupCompleted.emit()
    return module


@pytest.fixture
def tiny(tiny_module):
    return host.show_panel(tiny_module)
