"""A real server with the demonstration model, a real chest CT, and what the command line finds in it."""

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import slicer
import slicer.util
from slicer_host import driver, host
from slicer_host.fixtures import clean_scene

__all__ = ["clean_scene"]

TEXT = "left lung, right lung, heart, aorta, liver"
STRUCTURES = tuple(TEXT.split(", "))


@pytest.fixture(scope="session")
def module():
    """The module TextSegment, loaded from the source tree."""
    loaded = host.load_module(Path(__file__).parents[2] / "TextSegment" / "TextSegment.py")
    slicer.app.startupCompleted.emit()
    return loaded


@pytest.fixture(scope="session")
def server(module):
    """Slicer's one engine on this computer, ready; it goes with the session."""
    from TextSegmentLib.interpreter import chosen_interpreter
    from TextSegmentLib.server_process import ServerState, local_server

    engine = local_server()
    engine.start(chosen_interpreter(sys.executable), model="sat-demo", device="cpu")
    driver.wait_until(lambda: engine.state is not ServerState.STARTING, "answer of the engine", timeout_s=120)
    assert engine.state is ServerState.READY, engine.log
    yield engine
    engine.stop_now()


@pytest.fixture(scope="session")
def scan():
    """Path of the sample CT."""
    from textsegment.cli.demo import sample_scan

    return sample_scan()


@pytest.fixture
def volume_node(scan):
    """The sample CT, loaded as by a user."""
    return slicer.util.loadVolume(str(scan))


@pytest.fixture(scope="session")
def command_line_masks(scan, tmp_path_factory):
    """Structure → mask [i, j, k] that ``textsegment segment`` finds in the same scan."""
    folder = tmp_path_factory.mktemp("command-line")
    command = [sys.executable, "-m", "textsegment", "segment", str(scan), TEXT, "--output", str(folder)]
    subprocess.run([*command, "--device", "cpu", "--modality", "CT", "--quiet"], check=True)
    return {
        name: np.asarray(nibabel.load(folder / f"{name.replace(' ', '_')}.nii.gz").dataobj) > 0
        for name in STRUCTURES
    }
