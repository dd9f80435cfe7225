"""Runs after a run: structures that are there already, and requests that wait."""

import qt
from cases import erase_a_voxel
from textsegment.errors import OutOfMemoryError
from textsegment.testing import FakeSegmenter

from slicer_host import driver


def test_structures_that_are_there_are_asked_about(hands):
    """sl7: Enter twice made "liver 2" without a word."""
    hands.segment("liver, aorta")
    run = hands.widget.logic.run
    driver.click(hands.ui.segmentButton)
    assert hands.widget.logic.run is run
    assert "has liver, aorta already" in hands.ui.messageLabel.text
    driver.click(hands.ui.segmentButton)  # no answer is no consent
    assert hands.widget.logic.run is run
    hands.answer("Keep both")
    hands.wait_for_end()
    assert hands.segment_names() == ["liver", "aorta", "liver 2", "aorta 2"]


def test_replaced_segments_make_way_one_by_one_and_edited_ones_stay(hands):
    """sl7: what was edited or accepted is never lost."""
    hands.segment("liver, aorta, pancreas")
    hands.select_row("aorta")
    driver.click(hands.ui.acceptButton)
    erase_a_voxel(hands.node, "pancreas")
    driver.click(hands.ui.segmentButton)
    hands.answer("Replace")
    hands.wait_for_end()
    assert sorted(hands.segment_names()) == ["aorta", "aorta 2", "liver", "pancreas", "pancreas 2"]
    assert hands.note == ""


def test_nothing_is_replaced_by_a_run_that_fails(hands):
    hands.segment("liver")
    hands.fail()
    hands.wait_until_offered()
    driver.click(hands.ui.segmentButton)
    hands.answer("Replace")
    hands.wait_for_end()
    assert hands.segment_names() == ["liver"]


def test_question_goes_away_with_its_text(hands):
    hands.segment("liver")
    driver.click(hands.ui.segmentButton)
    assert hands.ui.messageFrame.visible
    hands.ui.promptEdit.text = "aorta"
    hands.wait_until_offered()
    driver.wait_until(lambda: not hands.ui.messageFrame.visible, "the end of the question")


def test_enter_during_a_run_begins_afterwards(hands):
    """sl7: it did nothing."""
    hands.hold()
    hands.start("liver, aorta")
    first = hands.widget.logic.run
    hands.ui.promptEdit.text = "pancreas"
    hands.wait_until_read()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert hands.widget.logic.run is first
    assert "Next: pancreas" in hands.ui.messageLabel.text
    hands.go_on()
    driver.wait_until(lambda: hands.widget.logic.run is not first, "the second run")
    assert first.state == "done"
    hands.wait_for_end()
    assert hands.segment_names() == ["liver", "aorta", "pancreas"]


def test_what_waits_can_be_left_out(hands):
    hands.hold()
    hands.start("liver, aorta")
    first = hands.widget.logic.run
    hands.ui.promptEdit.text = "pancreas"
    hands.wait_until_read()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    hands.answer("Leave it out")
    hands.go_on()
    hands.wait_for_end()
    driver.run_events(100)
    assert hands.widget.logic.run is first


def test_what_waits_does_not_begin_after_a_failure_and_that_is_said(hands):
    hands.hold(error=OutOfMemoryError("No memory is left.", "Close other programs."))
    hands.start("liver, aorta")
    first = hands.widget.logic.run
    hands.ui.promptEdit.text = "pancreas"
    hands.wait_until_read()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    hands.go_on()
    hands.wait_for_end()
    driver.run_events(100)
    assert hands.widget.logic.run is first
    assert "Not begun: pancreas." in hands.ui.messageLabel.text


def test_what_was_not_done_is_looked_for_with_a_click(hands):
    """sl7: also what was not found; only that, and once."""
    hands.hold(1)
    hands.start("liver, spleen, pancreas")
    driver.wait_until(lambda: hands.states()[:1] == [["liver", "done"]], "the first row")
    driver.click(hands.ui.cancelButton)
    hands.wait_for_end()
    hands.panel.engine.use(FakeSegmenter())
    rows = {row.structure: row for row in hands.panel.results.shown.rows}
    hands.ui.resultsNoteLabel.linkActivated.emit(rows["pancreas"].key)
    hands.wait_for_end()
    assert hands.segment_names() == ["liver", "pancreas"]
    hands.ui.resultsNoteLabel.linkActivated.emit(rows["spleen"].key)
    hands.wait_for_end()
    assert hands.segment_names() == ["liver", "pancreas"]
    assert hands.note == "Not found in this image: spleen"
