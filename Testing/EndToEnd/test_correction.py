"""A correction with the real server: drawn slices are carried on by the engine, and nothing drawn is lost."""

import numpy as np
import pytest
from segments import draw, mask, segment_id
from slicer_host import driver
from slicer_host.liveness import Gate
from textsegment.client.remote import RemoteSegmenter

NAME = "heart"


@pytest.fixture
def drawn(hands, volume_node):
    """The panel after a run, with one slice of the heart drawn anew; what was drawn, and where."""
    hands.ui.inputSelector.setCurrentNode(volume_node)
    hands.segment(NAME)
    hands.wait_for_end()
    assert hands.run.state == "done", hands.run.error
    node = hands.run.segmentation_node
    found = mask(node, NAME, volume_node)
    k = int(np.argwhere(found)[:, 2].mean())

    def shift(voxels):
        voxels[:, :, k] = np.roll(voxels[:, :, k], 6, axis=0)

    draw(node, NAME, volume_node, shift)
    hands.ui.resultsTable.setSelectedSegmentIDs([segment_id(node, NAME)])
    driver.wait_until(lambda: hands.ui.applyButton.enabled, "edits to apply")
    return hands, node, k, found


def apply(hands):
    driver.click(hands.ui.applyButton)
    driver.wait_until(
        lambda: hands.ui.previewFrame.visible or hands.ui.messageFrame.visible, "an outcome", timeout_s=120
    )


def test_slice_drawn_in_the_panel_is_carried_on_by_the_server(drawn, volume_node, monkeypatch):
    """Issue 13.C3: what was drawn stays, its neighbours follow, undo brings the drawing back."""
    hands, node, k, found = drawn
    edited = mask(node, NAME, volume_node)
    with Gate() as gate:
        gate.hold(monkeypatch, RemoteSegmenter, "correct")
        apply(hands)
    assert hands.ui.previewFrame.visible, hands.ui.messageLabel.text
    assert np.array_equal(mask(node, NAME, volume_node), edited)
    driver.click(hands.ui.takeButton)
    new = mask(node, NAME, volume_node)
    assert np.array_equal(new[:, :, k], edited[:, :, k])
    assert (new[:, :, k + 1] != found[:, :, k + 1]).any()
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: np.array_equal(mask(node, NAME, volume_node), edited), "the drawing again")
    assert gate.passed == ["correct"]


def test_engine_that_is_killed_takes_no_drawing_with_it(drawn, volume_node):
    """Issue 13.C3: engine killed; started again, the same edits are applied."""
    from TextSegmentLib.engine.server_process import local_server

    hands, node, k, _found = drawn
    edited = mask(node, NAME, volume_node)
    local_server().stop_now()
    apply(hands)
    assert not hands.ui.previewFrame.visible
    assert np.array_equal(mask(node, NAME, volume_node), edited)
    hands.start_engine()
    driver.wait_until(lambda: hands.ui.applyButton.enabled, "edits to apply")
    apply(hands)
    assert hands.ui.previewFrame.visible, hands.ui.messageLabel.text
    driver.click(hands.ui.takeButton)
    assert np.array_equal(mask(node, NAME, volume_node)[:, :, k], edited[:, :, k])
