"""Faults in Slicer while the panel works with a real server (see docs/faults.md)."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import psutil
import pytest
import slicer
import slicer.util
from hands import MODULE, Hands
from segments import mask
from slicer_host import driver, host
from structures import TEXT


@pytest.fixture
def fresh_volume_node(volume_node):
    """Sample CT with noise, so that nothing of it is in the server's cache and a run takes seconds."""
    voxels_kji = slicer.util.arrayFromVolume(volume_node)
    voxels_kji += np.random.default_rng().integers(-3, 4, voxels_kji.shape, dtype=voxels_kji.dtype)
    slicer.util.arrayFromVolumeModified(volume_node)
    return volume_node


@pytest.fixture
def running(hands, fresh_volume_node):
    """Panel in the middle of a run."""
    hands.ui.inputSelector.setCurrentNode(fresh_volume_node)
    hands.segment(TEXT)
    driver.wait_until(lambda: hands.run.stage, "news from the server", timeout_s=180)
    assert hands.run.is_active
    return hands


def works_again(hands):
    """Checks that the panel and the engine can still segment."""
    from textsegment.files.sample import sample_scan

    volume_node = slicer.util.loadVolume(str(sample_scan()))
    hands.ui.inputSelector.setCurrentNode(volume_node)
    hands.ui.outputSelector.setCurrentNode(None)
    hands.segment("liver")
    hands.wait_for_end()
    assert hands.run.state == "done", hands.run.error
    assert mask(hands.run.segmentation_node, "liver", volume_node).any()


def message(hands):
    return hands.ui.messageLabel.text if hands.ui.messageFrame.visible else ""


def test_volume_deleted_during_a_run(running):
    """Fault 62."""
    slicer.mrmlScene.RemoveNode(running.run.volume_node)
    running.wait_for_end()
    assert running.run.state == "cancelled"
    assert "volume was deleted" in message(running)
    works_again(running)


def test_segmentation_deleted_during_a_run(running):
    """Fault 63."""
    slicer.mrmlScene.RemoveNode(running.run.segmentation_node)
    running.wait_for_end()
    assert running.run.state == "cancelled"
    assert "segmentation was deleted" in message(running)
    works_again(running)


def test_scene_closed_during_a_run(running):
    """Fault 64."""
    run = running.run
    slicer.mrmlScene.Clear(False)
    driver.wait_until(lambda: not run.is_active, "the end of the run")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    works_again(running)


def test_second_click_while_running_changes_nothing(running):
    """Fault 65."""
    run = running.run
    assert not running.ui.segmentButton.visible
    running.widget.panel.prompt.enter()
    assert running.run is run
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    driver.click(running.ui.cancelButton)
    running.wait_for_end()
    assert running.run.state == "cancelled"


def test_server_dies_during_a_run_and_starts_again(running):
    """Fault 66."""
    from TextSegmentLib.engine.server_process import local_server

    for process in _family(local_server().pid):
        process.send_signal(signal.SIGKILL)
    running.wait_for_end()
    assert running.run.state == "failed"
    assert message(running)
    driver.wait_until(lambda: running.ui.startButton.enabled, "a button to start it again")
    running.start_engine()
    works_again(running)


def test_volume_under_a_nonlinear_transform(hands, fresh_volume_node, command_line_masks):
    """Fault 67."""
    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    fresh_volume_node.SetAndObserveTransformNodeID(grid.GetID())
    hands.ui.inputSelector.setCurrentNode(fresh_volume_node)
    hands.segment("liver")
    hands.wait_for_end()
    assert hands.run.state == "done", hands.run.error
    node = hands.run.segmentation_node
    assert node.GetParentTransformNode() is grid
    found, expected = mask(node, "liver", fresh_volume_node), command_line_masks["liver"]
    assert np.count_nonzero(found ^ expected) < 0.05 * np.count_nonzero(
        expected
    )  # not equal, since the image has noise


@pytest.mark.parametrize(
    ("shape_kji", "words"), [((1, 64, 64), "slice"), (None, "image")], ids=["single slice", "empty node"]
)
def test_image_without_depth_is_refused_before_the_click(hands, shape_kji, words):
    """Fault 68."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    if shape_kji:
        slicer.util.updateVolumeFromArray(node, np.zeros(shape_kji, dtype=np.int16))
    hands.ui.inputSelector.setCurrentNode(node)
    hands.ui.promptEdit.text = "liver"
    driver.run_events(300)
    assert not hands.ui.segmentButton.enabled
    assert words in hands.ui.modalityReasonLabel.text


def test_vector_and_sequence_volumes_are_not_offered(hands):
    """Fault 69."""
    for kind in (
        "vtkMRMLVectorVolumeNode",
        "vtkMRMLDiffusionWeightedVolumeNode",
        "vtkMRMLLabelMapVolumeNode",
    ):
        slicer.mrmlScene.AddNewNodeByClass(kind)
    assert hands.ui.inputSelector.nodeCount() == 0


def test_module_reloaded_while_the_server_runs(running, module):
    """Fault 71."""
    from TextSegmentLib.engine.server_process import local_server

    pid, old = local_server().pid, running.widget
    old.onReload()
    assert not old.logic.run.is_active
    again = Hands(host.show_panel(module))
    assert again.widget is not old
    driver.wait_until(lambda: again.widget.panel.engine.model is not None, "the same engine")
    assert sys.modules["TextSegmentLib.engine.server_process"].local_server().pid == pid
    works_again(again)


_SLICER = """
    import sys
    sys.path[:0] = {path!r}
    from pathlib import Path
    from slicer_host import driver, host
    host.boot()
    import slicer.util
    from hands import Hands
    hands = Hands(host.show_panel(host.load_module(Path({module!r}))))
    hands.start_engine()
    hands.ui.inputSelector.setCurrentNode(slicer.util.loadVolume({scan!r}))
    hands.segment({text!r})
    driver.wait_until(lambda: hands.run.stage, "news", 60)
    from TextSegmentLib.engine.server_process import local_server
    print("running", local_server().pid, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["quit", "kill"])
def test_no_process_outlives_slicer(end, scan):
    """Fault 72: a Python process with the stand-ins plays Slicer, and quits or is killed during a run."""
    code = textwrap.dedent(_SLICER).format(path=sys.path, module=str(MODULE), scan=str(scan), text=TEXT)
    slicer_process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with slicer_process:
        line = next((line for line in slicer_process.stdout if line.startswith("running")), "")
        assert line, "Slicer did not come up"
        processes = _family(int(line.split()[1]))
        assert len(processes) > 1
        if end == "quit":
            slicer_process.stdin.write("\n")
            slicer_process.stdin.flush()
        else:
            os.kill(slicer_process.pid, signal.SIGKILL)
        slicer_process.wait(120)
    _gone, alive = psutil.wait_procs(processes, timeout=120)
    assert alive == []


def _family(pid):
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]
