"""Fixtures: a real server with the demo model, a real chest CT, and the masks that the command line finds."""

import subprocess
import sys

import nibabel
import numpy as np
import pytest
import slicer
import slicer.util
from hands import MODULE, Hands
from slicer_host import host
from slicer_host.fixtures import clean_scene
from structures import STRUCTURES, TEXT

__all__ = ["clean_scene"]


@pytest.fixture(scope="session")
def module():
    """Module TextSegment, loaded from the source tree."""
    loaded = host.load_module(MODULE)
    slicer.app.startupCompleted.emit()
    return loaded


@pytest.fixture
def hands(module):
    """Panel with the engine on this computer started by its button; started again only if it has stopped."""
    found = Hands(host.show_panel(module))
    found.start_engine()
    yield found
    found.leave()


@pytest.fixture(scope="session", autouse=True)
def _engine_ends_with_the_session():
    yield
    if "TextSegmentLib.engine.server_process" in sys.modules:
        sys.modules["TextSegmentLib.engine.server_process"].local_server().stop_now()


@pytest.fixture(scope="session")
def scan(module):
    """Path of the sample CT."""
    from textsegment.files.sample import sample_scan

    return sample_scan()


@pytest.fixture
def volume_node(scan):
    """Sample CT, loaded as a user would."""
    return slicer.util.loadVolume(str(scan))


@pytest.fixture(scope="session")
def command_line_masks(scan, tmp_path_factory):
    """Masks ``[i, j, k]`` that ``textsegment segment`` finds in the same scan, by structure."""
    folder = tmp_path_factory.mktemp("command-line")
    command = [sys.executable, "-m", "textsegment", "segment", str(scan), TEXT, "--output", str(folder)]
    subprocess.run([*command, "--device", "cpu", "--modality", "CT", "--quiet"], check=True)
    return {
        name: np.asarray(nibabel.load(folder / f"{name.replace(' ', '_')}.nii.gz").dataobj) > 0
        for name in STRUCTURES
    }
