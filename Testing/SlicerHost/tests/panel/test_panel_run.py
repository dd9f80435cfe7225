"""A run in the panel: what appears, and how it ends."""

import qt
import slicer
from textsegment.errors import ServerUnreachableError
from textsegment.testing import FakeSegmenter, ball
from TextSegmentLib import settings
from TextSegmentLib.scene.run import finding
from TextSegmentLib.scene.volume_node import VolumeSource, read_volume_node

from slicer_host import driver
from slicer_host.liveness import Gate


def test_typed_names_become_segments_and_rows(hands):
    hands.segment("liver, lt kidney, spleen")
    assert hands.segment_names() == ["liver", "left kidney"]
    rows = hands.rows()
    assert hands.states() == [["liver", "done"], ["left kidney", "done"]]
    assert hands.note == "Not found in this image: spleen"
    source = read_volume_node(hands.ui.inputSelector.currentNode())
    expected = ball("liver", source.geometry).sum() * source.geometry.voxel_volume_ml
    assert float(rows[0][2]) == round(expected, 1)
    assert rows[0][3] == "0.75"
    assert "Done: 3 of 3 structures" in hands.ui.progressLabel.text


def test_segments_go_into_the_segmentation_that_is_chosen(hands):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    hands.ui.outputSelector.setCurrentNode(node)
    hands.segment("liver")
    assert hands.node is node


def test_new_segmentation_is_taken_for_the_next_run(hands):
    hands.segment("liver")
    made = hands.node
    assert hands.ui.outputSelector.currentNode() is made
    hands.segment("aorta")
    assert hands.segment_names() == ["liver", "aorta"]


def test_each_structure_appears_as_soon_as_it_is_done(hands):
    hands.hold(1)
    hands.start("liver, aorta, pancreas")
    driver.wait_until(lambda: hands.states()[:1] == [["liver", "done"]], "the first row")
    assert len(hands.rows()) < 3
    assert hands.segment_names()[0] == "liver"
    assert hands.ui.progressBar.visible
    assert 0 < hands.ui.progressBar.value < hands.ui.progressBar.maximum
    assert "of 3 structures" in hands.ui.progressLabel.text
    hands.go_on()
    hands.wait_for_end()


def test_segment_and_cancel_are_never_both_there(hands):
    hands.hold(1)
    assert not hands.ui.cancelButton.visible
    hands.start("liver, aorta, pancreas")
    assert hands.ui.cancelButton.visible
    assert not hands.ui.segmentButton.visible
    driver.wait_until(lambda: hands.states()[:1] == [["liver", "done"]], "the first row")
    driver.click(hands.ui.cancelButton)
    hands.wait_for_end()
    assert hands.ui.segmentButton.visible
    assert hands.ui.segmentButton.enabled
    assert "Cancelled" in hands.ui.progressLabel.text
    assert hands.note == "Not done: aorta, pancreas"
    assert hands.segment_names() == ["liver"]


def test_second_enter_while_running_starts_nothing(hands):
    """Fault 65."""
    hands.hold()
    hands.start("liver, aorta")
    run = hands.widget.logic.run
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert hands.widget.logic.run is run
    hands.go_on()
    hands.wait_for_end()


def test_failure_is_shown_in_its_own_words(hands):
    hands.fail()
    hands.segment("liver")
    assert hands.ui.messageFrame.visible
    assert "The graphics card has no memory left." in hands.ui.messageLabel.text
    assert "Close other programs &lt;now&gt;." in hands.ui.messageLabel.text
    assert "Traceback" not in hands.ui.messageLabel.text
    driver.click(hands.ui.messageCloseButton)
    assert not hands.ui.messageFrame.visible


def test_panel_stays_alive_during_a_run(hands, monkeypatch):
    with Gate() as gate:
        gate.hold(monkeypatch, FakeSegmenter, "segment")
        gate.hold(monkeypatch, VolumeSource, "to_volume")
        gate.hold(monkeypatch, finding, "labelmap_of")
        hands.start("liver, aorta")
        hands.wait_for_end()
    assert gate.passed == ["to_volume", "segment", "labelmap_of", "labelmap_of"]
    assert hands.states() == [["liver", "done"], ["aorta", "done"]]


def test_deleted_volume_ends_the_run_with_a_sentence(hands):
    """Fault 62."""
    hands.hold()
    hands.start("liver, aorta")
    slicer.mrmlScene.RemoveNode(hands.ui.inputSelector.currentNode())
    hands.wait_for_end()
    assert "The volume was deleted." in hands.ui.messageLabel.text
    assert "Choose an image." in hands.ui.obstacleLabel.text


def test_deleted_segmentation_ends_the_run_with_a_sentence(hands):
    """Fault 63."""
    hands.hold()
    hands.start("liver, aorta")
    slicer.mrmlScene.RemoveNode(hands.node)
    hands.wait_for_end()
    assert "The segmentation was deleted." in hands.ui.messageLabel.text
    assert hands.ui.segmentButton.enabled


def test_closed_scene_ends_the_run_and_empties_the_panel(hands):
    """Fault 64."""
    hands.hold()
    hands.start("liver, aorta")
    slicer.mrmlScene.Clear(0)
    assert not hands.widget.logic.run.is_active
    assert not hands.ui.resultsButton.visible
    assert hands.ui.promptEdit.text == ""
    driver.run_events(100)


def test_reload_while_running_ends_the_run(hands):
    """Fault 71."""
    hands.hold()
    hands.start("liver, aorta")
    run = hands.widget.logic.run
    slicer.util.reloadScriptedModule("TextSegment")
    assert not run.is_active
    driver.run_events(100)
    assert slicer.modules.TextSegmentWidget.ui.promptEdit.text == "liver, aorta"


def test_engine_that_dies_on_this_computer_is_not_called_a_server(hands, monkeypatch):
    """Operated in an application: nobody there had chosen an address or a port."""
    monkeypatch.setattr(settings, "uses_server", lambda: False)
    hands.hold(error=ServerUnreachableError("No server listens at http://127.0.0.1:1.", "Start it."))
    hands.start("liver")
    hands.go_on()
    hands.wait_for_end()
    assert "The engine on this computer has stopped" in hands.ui.messageLabel.text
    assert "127.0.0.1" not in hands.ui.messageLabel.text
