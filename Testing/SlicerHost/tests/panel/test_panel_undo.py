"""Runs, strokes and deletions are taken back in turn, by the panel and by the Segment Editor."""

import numpy as np
import pytest
import slicer
import slicer.util
from cases import erase_a_voxel

from slicer_host import driver


def test_undo_takes_the_run_back_and_says_what_it_keeps(hands):
    hands.segment("liver, aorta")
    hands.select_row("liver")
    driver.click(hands.ui.acceptButton)
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: "liver" in hands.ui.messageLabel.text, "what was kept")
    assert hands.segment_names() == ["liver"]


@pytest.fixture
def editor(hands):
    """The Segment Editor, opened with the segments of a run."""
    hands.segment("liver, left kidney")
    hands.select_row("left kidney")
    driver.click(hands.ui.editorButton)
    editor = slicer.modules.SegmentEditorWidget.editor
    slicer.util.selectModule("TextSegment")
    yield editor
    editor.setSegmentationNode(None)


def voxels(hands, name):
    """Voxels of a segment, on the grid of the image."""
    segment_id = hands.node.GetSegmentation().GetSegmentIdBySegmentName(name)
    return slicer.util.arrayFromSegmentBinaryLabelmap(
        hands.node, segment_id, hands.ui.inputSelector.currentNode()
    )


def stroke(hands, editor, name):
    """Erase a voxel as the editor does: its history sees changes that go through Slicer's own logic only."""
    editor.saveStateForUndo()
    mask = voxels(hands, name).copy()
    mask[tuple(np.argwhere(mask)[0])] = 0
    node, segmentation = hands.node, hands.node.GetSegmentation()
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, node, segmentation.GetSegmentIdBySegmentName(name), hands.ui.inputSelector.currentNode()
    )


def test_a_run_is_a_step_of_its_own_for_the_undo_of_the_editor(hands, editor):
    """sl6: a stroke, a run, one undo in the editor: the stroke stays."""
    stroke(hands, editor, "liver")
    hands.segment("aorta")
    editor.undo()
    assert hands.segment_names() == ["liver", "left kidney"]
    expected = [["liver", "edited"], ["left kidney", "done"]]
    driver.wait_until(lambda: hands.states() == expected, "rows of now")
    driver.wait_until(lambda: hands.note == "Removed: aorta", "the line that says so")


def test_a_stroke_during_a_run_is_a_step_of_its_own(hands, editor):
    """sl6: what comes after the stroke is not taken back with it."""
    hands.hold(1)
    hands.start("aorta, heart")
    driver.wait_until(lambda: "aorta" in hands.segment_names(), "the first segment")
    stroke(hands, editor, "aorta")
    drawn = voxels(hands, "aorta").copy()
    hands.go_on()
    hands.wait_for_end()
    editor.undo()
    assert hands.segment_names() == ["liver", "left kidney", "aorta"]
    assert np.array_equal(voxels(hands, "aorta"), drawn)
    driver.wait_until(lambda: ["aorta", "edited"] in hands.states(), "rows of now")


def test_what_was_deleted_comes_back_by_the_undo_of_the_editor(hands, editor):
    """sl3: and the row with it; sl6: an undo before a deletion does not take more back."""
    stroke(hands, editor, "liver")
    hands.select_row("left kidney")
    driver.click(hands.ui.deleteButton)
    assert hands.note == "Removed: left kidney"
    editor.undo()
    expected = [["liver", "edited"], ["left kidney", "done"]]
    driver.wait_until(lambda: hands.states() == expected, "rows of now")


def test_undo_takes_strokes_and_runs_back_in_turn(hands):
    """Issue 13.C3: one history; the buttons say what they would do."""
    assert not hands.ui.redoStepButton.enabled
    hands.segment("liver")
    driver.wait_until(lambda: "segmented" in hands.ui.undoButton.toolTip, "a step to undo")
    erase_a_voxel(hands.node, "liver")
    driver.wait_until(lambda: "drawn" in hands.ui.undoButton.toolTip, "the stroke")
    assert hands.states() == [["liver", "edited"]]
    hands.segment("aorta")
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: hands.states() == [["liver", "edited"]], "the second run undone")
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: hands.states() == [["liver", "done"]], "the stroke undone")
    driver.click(hands.ui.redoStepButton)
    driver.wait_until(lambda: hands.states() == [["liver", "edited"]], "the stroke again")
    driver.click(hands.ui.redoStepButton)
    driver.wait_until(lambda: len(hands.states()) == 2, "the second run again")
    assert not hands.ui.redoStepButton.enabled


def test_stroke_just_before_undo_is_what_is_undone(hands):
    """Issue 13.C3: even if the panel has not seen it yet."""
    hands.segment("liver")
    driver.wait_until(lambda: hands.ui.undoButton.enabled, "a step to undo")
    erase_a_voxel(hands.node, "liver")
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: hands.ui.redoStepButton.enabled, "the step")
    driver.wait_until(lambda: hands.states() == [["liver", "done"]], "the liver as found")
