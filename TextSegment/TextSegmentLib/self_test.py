"""Self-test of the module, to be run in the application."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from textsegment.testing import FakeSegmenter, ball, phantom

from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.volume_node import vtk_matrix

_PATIENCE_S = 30.0
_STRUCTURES = ("liver", "left kidney")


def run() -> None:
    """Segment a phantom with a script and with the panel; needs no model, no server and no network."""
    slicer.mrmlScene.Clear()
    volume = phantom()
    node = slicer.util.addVolumeFromArray(
        np.ascontiguousarray(volume.voxels.transpose(2, 1, 0)), name="Phantom CT"
    )
    node.SetIJKToRASMatrix(vtk_matrix(volume.geometry.affine))
    _test_script(node)
    _test_panel(node)


def _test_script(node: Any) -> None:
    result = TextSegmentLogic().segment(node, "liver, lt kidney", modality="CT", segmenter=FakeSegmenter())
    _require_masks(result, node)
    slicer.mrmlScene.RemoveNode(result)


def _test_panel(node: Any) -> None:
    slicer.util.selectModule("TextSegment")
    panel = slicer.modules.textsegment.widgetRepresentation().self().panel
    panel.engine.use(FakeSegmenter(0.1))
    panel.ui.inputSelector.setCurrentNode(node)
    panel.prompt.text = "liver, lt kidney"
    _wait(lambda: panel.ui.segmentButton.enabled, "a button to press")
    panel.ui.segmentButton.click()
    _wait(lambda: panel.logic.run is not None and not panel.logic.run.is_active, "the end of the run")
    run = panel.logic.run
    assert run.error is None, run.error
    _require_masks(run.segmentation_node, node)
    assert run.undo() == ()
    assert run.segmentation_node is None


def _require_masks(result: Any, node: Any) -> None:
    assert result.GetSegmentation().GetNumberOfSegments() == len(_STRUCTURES)
    for structure in _STRUCTURES:
        segment_id = result.GetSegmentation().GetSegmentIdBySegmentName(structure)
        found = slicer.util.arrayFromSegmentBinaryLabelmap(result, segment_id, node)
        expected = ball(structure, phantom().geometry)
        assert np.array_equal(found.transpose(2, 1, 0) > 0, expected), structure


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        slicer.app.processEvents()
        time.sleep(0.01)
