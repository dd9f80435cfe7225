import re

import pytest
import qt
import slicer
from cases import erase_a_voxel
from textsegment.errors import OutOfMemoryError
from textsegment.testing import FakeSegmenter, ball
from TextSegmentLib.scene import finding
from TextSegmentLib.scene.volume_node import VolumeSource, read_volume_node

from slicer_host import driver
from slicer_host.liveness import Gate
from slicer_host.widgets.segments_model import COLOR_ROLE


class Failing(FakeSegmenter):
    def segment(self, *_arguments, **_options):
        raise OutOfMemoryError("The graphics card has no memory left.", "Close other programs <now>.")


def answer(hands, words):
    """Click the link with these words in the message."""
    links = re.findall(r"<a href='(\d+)'>(.*?)</a>", hands.ui.messageLabel.text)
    hands.ui.messageLabel.linkActivated.emit(next(link for link, text in links if words in text))


def node_of(hands):
    return hands.widget.logic.run.segmentation_node


def segment_names(hands):
    segmentation = node_of(hands).GetSegmentation()
    return [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]


def slow(hands, seconds=0.2):
    hands.panel.engine.use(FakeSegmenter(seconds))


def start(hands, text):
    hands.ui.promptEdit.text = text
    hands.wait_until_offered()
    driver.click(hands.ui.segmentButton)


def test_typed_names_become_segments_and_rows(hands):
    hands.segment("liver, lt kidney, spleen")
    assert segment_names(hands) == ["liver", "left kidney"]
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
    assert node_of(hands) is node


def test_new_segmentation_is_taken_for_the_next_run(hands):
    hands.segment("liver")
    made = node_of(hands)
    assert hands.ui.outputSelector.currentNode() is made
    hands.segment("aorta")
    assert segment_names(hands) == ["liver", "aorta"]


def test_each_structure_appears_as_soon_as_it_is_done(hands):
    slow(hands)
    start(hands, "liver, aorta, pancreas")
    driver.wait_until(lambda: hands.states()[:1] == [["liver", "done"]], "the first row")
    assert len(hands.rows()) < 3
    assert segment_names(hands)[0] == "liver"
    assert hands.ui.progressBar.visible
    assert 0 < hands.ui.progressBar.value < hands.ui.progressBar.maximum
    assert "of 3 structures" in hands.ui.progressLabel.text
    hands.wait_for_end()


def test_segment_and_cancel_are_never_both_there(hands):
    slow(hands)
    assert not hands.ui.cancelButton.visible
    start(hands, "liver, aorta, pancreas")
    assert hands.ui.cancelButton.visible
    assert not hands.ui.segmentButton.visible
    driver.wait_until(lambda: hands.states()[:1] == [["liver", "done"]], "the first row")
    driver.click(hands.ui.cancelButton)
    hands.wait_for_end()
    assert hands.ui.segmentButton.visible
    assert hands.ui.segmentButton.enabled
    assert "Cancelled" in hands.ui.progressLabel.text
    assert hands.note == "Not done: aorta, pancreas"
    assert segment_names(hands) == ["liver"]


def test_second_enter_while_running_starts_nothing(hands):
    """Fault 65."""
    slow(hands)
    start(hands, "liver, aorta")
    run = hands.widget.logic.run
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert hands.widget.logic.run is run
    hands.wait_for_end()


def test_failure_is_shown_in_its_own_words(hands):
    hands.panel.engine.use(Failing())
    hands.segment("liver")
    assert hands.ui.messageFrame.visible
    assert "The graphics card has no memory left." in hands.ui.messageLabel.text
    assert "Close other programs &lt;now&gt;." in hands.ui.messageLabel.text
    assert "Traceback" not in hands.ui.messageLabel.text
    driver.click(hands.ui.messageCloseButton)
    assert not hands.ui.messageFrame.visible


def test_click_on_a_row_centres_the_views(hands):
    slice_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    camera_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    hands.segment("liver")
    run = hands.widget.logic.run
    center = [0.0] * 3
    run.segmentation_node.GetSegmentCenterRAS(run.rows[0].segment_id, center)
    assert any(abs(part) > 1 for part in center)
    view = hands.ui.resultsTable.tableWidget()
    view.clicked.emit(view.model().index(0, 3))
    matrix = slice_node.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx(center)
    assert list(camera_node.GetFocalPoint()) == pytest.approx(center)


def test_rows_are_accepted_deleted_and_looked_for_again(hands):
    hands.segment("liver, aorta, pancreas")
    hands.select_row("liver")
    driver.click(hands.ui.acceptButton)
    assert hands.rows()[0][1] == "accepted"
    assert not hands.ui.acceptButton.enabled
    hands.select_row("aorta")
    driver.click(hands.ui.deleteButton)
    assert segment_names(hands) == ["liver", "pancreas"]
    assert hands.note == "Removed: aorta"
    hands.ui.resultsNoteLabel.linkActivated.emit(hands.panel.results.shown.rows[1].key)
    hands.wait_for_end()
    assert sorted(segment_names(hands)) == ["aorta", "liver", "pancreas"]
    assert ["aorta", "done"] in hands.states()
    assert hands.note == ""
    hands.select_row("pancreas")
    driver.click(hands.ui.redoButton)
    hands.wait_for_end()
    assert sorted(segment_names(hands)) == ["aorta", "liver", "pancreas"]


def test_undo_takes_the_run_back_and_says_what_it_keeps(hands):
    hands.segment("liver, aorta")
    hands.select_row("liver")
    driver.click(hands.ui.acceptButton)
    driver.click(hands.ui.undoButton)
    assert segment_names(hands) == ["liver"]
    assert "liver" in hands.ui.messageLabel.text


def test_segment_editor_opens_with_the_segment(hands):
    hands.segment("liver, aorta")
    hands.select_row("aorta")
    driver.click(hands.ui.editorButton)
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    run = hands.widget.logic.run
    assert slicer.util.selectedModule() == "SegmentEditor"
    assert editor.GetSegmentationNode() is run.segmentation_node
    assert editor.GetSelectedSegmentID() == run.rows[1].segment_id
    assert editor.GetSourceVolumeNode() is run.volume_node


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


def stroke(editor, name):
    """A stroke of the editor's eraser."""
    editor.saveStateForUndo()
    erase_a_voxel(editor.segmentationNode(), name)


def test_a_run_is_a_step_of_its_own_for_the_undo_of_the_editor(hands, editor):
    """sl6: a stroke, a run, one undo in the editor: the stroke stays."""
    stroke(editor, "liver")
    hands.segment("aorta")
    editor.undo()
    assert segment_names(hands) == ["liver", "left kidney"]
    expected = [["liver", "edited"], ["left kidney", "done"]]
    driver.wait_until(lambda: hands.states() == expected, "rows of now")
    driver.wait_until(lambda: hands.note == "Removed: aorta", "the line that says so")


def test_a_stroke_during_a_run_is_a_step_of_its_own(hands, editor):
    """sl6: what comes after the stroke is not taken back with it."""
    slow(hands, 0.3)
    start(hands, "aorta, heart")
    driver.wait_until(lambda: "aorta" in segment_names(hands), "the first segment")
    stroke(editor, "aorta")
    hands.wait_for_end()
    editor.undo()
    assert segment_names(hands) == ["liver", "left kidney", "aorta"]
    driver.wait_until(lambda: ["aorta", "edited"] in hands.states(), "rows of now")


def test_what_was_deleted_comes_back_by_the_undo_of_the_editor(hands, editor):
    """sl3: and the row with it; sl6: an undo before a deletion does not take more back."""
    stroke(editor, "liver")
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
    erase_a_voxel(node_of(hands), "liver")
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
    erase_a_voxel(node_of(hands), "liver")
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: hands.ui.redoStepButton.enabled, "the step")
    driver.wait_until(lambda: hands.states() == [["liver", "done"]], "the liver as found")


def test_rows_follow_names_and_colours(hands):
    """sl3."""
    hands.segment("liver")
    made = node_of(hands).GetSegmentation().GetNthSegment(0)
    made.SetName("my liver")
    made.SetColor(1.0, 0.0, 1.0)
    driver.wait_until(lambda: hands.rows()[0][0] == "my liver", "the new name")
    model = hands.ui.resultsTable.tableWidget().model()
    assert model.index(0, 1).data(COLOR_ROLE).name() == "#ff00ff"


def test_rows_of_a_deleted_segmentation_can_be_clicked(hands):
    """sl3."""
    hands.segment("liver")
    hands.select_row("liver")
    slicer.mrmlScene.RemoveNode(node_of(hands))
    driver.run_events(100)
    for button in ("acceptButton", "deleteButton", "redoButton", "undoButton", "editorButton"):
        assert not getattr(hands.ui, button).enabled, button
    results = hands.panel.results.shown
    if results is not None:
        assert [row.state for row in results.rows] == ["removed"]
        results.accept(results.rows[0])
        results.delete(results.rows[0])
        assert results.undo() == ()


def test_surfaces_are_shown_and_taken_away(hands):
    hands.segment("liver")
    driver.click(hands.ui.show3DButton)
    assert node_of(hands).GetSegmentation().ContainsRepresentation("Closed surface")
    driver.click(hands.ui.show3DButton)
    assert not node_of(hands).GetSegmentation().ContainsRepresentation("Closed surface")


def test_segment_that_somebody_else_removes_is_shown_as_removed(hands):
    hands.segment("liver")
    node_of(hands).GetSegmentation().RemoveSegment(hands.widget.logic.run.rows[0].segment_id)
    driver.wait_until(lambda: hands.note == "Removed: liver", "the line that says so")
    assert hands.rows() == []


def test_panel_stays_alive_during_a_run(hands, monkeypatch):
    with Gate() as gate:
        gate.hold(monkeypatch, FakeSegmenter, "segment")
        gate.hold(monkeypatch, VolumeSource, "to_volume")
        gate.hold(monkeypatch, finding, "labelmap_of")
        start(hands, "liver, aorta")
        hands.wait_for_end()
    assert gate.passed == ["to_volume", "segment", "labelmap_of", "labelmap_of"]
    assert hands.states() == [["liver", "done"], ["aorta", "done"]]


def test_deleted_volume_ends_the_run_with_a_sentence(hands):
    """Fault 62."""
    slow(hands)
    start(hands, "liver, aorta")
    slicer.mrmlScene.RemoveNode(hands.ui.inputSelector.currentNode())
    hands.wait_for_end()
    assert "The volume was deleted." in hands.ui.messageLabel.text
    assert "Choose an image." in hands.ui.obstacleLabel.text


def test_deleted_segmentation_ends_the_run_with_a_sentence(hands):
    """Fault 63."""
    slow(hands)
    start(hands, "liver, aorta")
    slicer.mrmlScene.RemoveNode(node_of(hands))
    hands.wait_for_end()
    assert "The segmentation was deleted." in hands.ui.messageLabel.text
    assert hands.ui.segmentButton.enabled


def test_closed_scene_ends_the_run_and_empties_the_panel(hands):
    """Fault 64."""
    slow(hands)
    start(hands, "liver, aorta")
    slicer.mrmlScene.Clear(0)
    assert not hands.widget.logic.run.is_active
    assert not hands.ui.resultsButton.visible
    assert hands.ui.promptEdit.text == ""
    driver.run_events(100)


def test_reload_while_running_ends_the_run(hands):
    """Fault 71."""
    slow(hands)
    start(hands, "liver, aorta")
    run = hands.widget.logic.run
    slicer.util.reloadScriptedModule("TextSegment")
    assert not run.is_active
    driver.run_events(100)
    assert slicer.modules.TextSegmentWidget.ui.promptEdit.text == "liver, aorta"


def press(hands, key):
    driver.press(hands.ui.resultsTable.tableWidget(), key)


def center_of(hands, name):
    node = node_of(hands)
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    return list(node.GetSegmentCenterRAS(segment_id))


def test_results_are_in_the_table_of_slicer_with_all_segments(hands):
    """sl7: eye, opacity, colour, filter and menu are those that users know; drawn segments are there too."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("mine", "my tumour")
    hands.ui.outputSelector.setCurrentNode(node)
    hands.segment("liver")
    assert hands.ui.resultsTable.className() == "qMRMLSegmentsTableView"
    assert hands.states() == [["my tumour", ""], ["liver", "done"]]
    assert hands.ui.resultsTable.opacityColumnVisible
    hands.select_row("my tumour")
    assert not hands.ui.acceptButton.enabled
    assert not hands.ui.deleteButton.enabled


def test_arrow_keys_centre_the_views(hands):
    """sl7."""
    slice_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    hands.segment("liver, aorta")
    hands.select_row("liver")
    press(hands, qt.Qt.Key_Down)
    matrix = slice_node.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx(center_of(hands, "aorta"))


def test_space_switches_the_eyes_of_what_is_selected(hands):
    """sl7."""
    hands.segment("liver, aorta")
    display_node = node_of(hands).GetDisplayNode()
    hands.ui.resultsTable.tableWidget().selectAll()
    hands.ui.resultsTable.tableWidget().setFocus()
    for visible in (False, True):
        press(hands, qt.Qt.Key_Space)
        ids = node_of(hands).GetSegmentation().GetSegmentIDs()
        assert [display_node.GetSegmentVisibility(each) for each in ids] == [visible] * 2


def test_a_accepts_and_goes_on_to_the_next(hands):
    """sl7: a run is looked through with one hand."""
    hands.segment("liver, aorta, pancreas")
    hands.select_row("liver")
    press(hands, qt.Qt.Key_A)
    assert hands.states()[0] == ["liver", "accepted"]
    assert hands.ui.resultsTable.selectedSegmentIDs() == (hands.panel.results.shown.rows[1].segment_id,)
    press(hands, qt.Qt.Key_A)
    press(hands, qt.Qt.Key_A)
    assert [state for _name, state in hands.states()] == ["accepted"] * 3


def test_del_deletes_what_is_selected(hands):
    """sl7."""
    hands.segment("liver, aorta")
    hands.select_row("liver")
    press(hands, qt.Qt.Key_Delete)
    assert segment_names(hands) == ["aorta"]
    assert hands.note == "Removed: liver"


@pytest.mark.parametrize(
    ("locale", "expected"), [("de_DE", ("1.234", "12,3", "0,75")), ("en_US", ("1,234", "12.3", "0.75"))]
)
def test_numbers_are_written_as_the_locale_has_them(locale, expected):
    """sl7."""
    from TextSegmentLib.panel.numbers import number

    before = qt.QLocale()
    qt.QLocale.setDefault(qt.QLocale(locale))
    try:
        assert (number(1234.4, 0), number(12.34, 1), number(0.749, 2)) == expected
    finally:
        qt.QLocale.setDefault(before)


@pytest.mark.parametrize("hide", ["node", "slices", "folder"])
def test_hidden_results_are_said_and_shown_with_a_click(hands, hide):
    """sl7: whatever hides them."""
    hands.segment("liver")
    node = node_of(hands)
    assert "hidden" not in hands.note
    if hide == "node":
        node.GetDisplayNode().SetVisibility(False)
    elif hide == "slices":
        node.GetDisplayNode().SetVisibility2D(False)
    else:
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Plan")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
        folder_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLFolderDisplayNode")
        folder_node.SetApplyDisplayPropertiesOnBranch(True)
        hierarchy.SetItemDataNode(folder, folder_node)
        folder_node.SetVisibility(False)
        node.GetDisplayNode().Modified()
    driver.wait_until(lambda: "The segmentation is hidden" in hands.note, "a hint")
    hands.ui.resultsNoteLabel.linkActivated.emit("show")
    driver.wait_until(lambda: "hidden" not in hands.note, "the end of the hint")


def test_masks_of_the_demonstration_model_are_marked_as_a_toys(hands, monkeypatch):
    """sl7: also when their scene is opened on another day."""
    hands.segment("liver")
    assert "toy" not in hands.note
    node_of(hands).GetSegmentation().GetNthSegment(0).SetTag("TextSegment.model", "sat-demo")
    hands.panel.results.refresh()
    assert "toy" in hands.note


def test_structures_that_are_there_are_asked_about(hands):
    """sl7: Enter twice made "liver 2" without a word."""
    hands.segment("liver, aorta")
    run = hands.widget.logic.run
    driver.click(hands.ui.segmentButton)
    assert hands.widget.logic.run is run
    assert "has liver, aorta already" in hands.ui.messageLabel.text
    driver.click(hands.ui.segmentButton)  # no answer is no consent
    assert hands.widget.logic.run is run
    answer(hands, "Keep both")
    hands.wait_for_end()
    assert segment_names(hands) == ["liver", "aorta", "liver 2", "aorta 2"]


def test_replaced_segments_make_way_one_by_one_and_edited_ones_stay(hands):
    """sl7: what was edited or accepted is never lost."""
    hands.segment("liver, aorta, pancreas")
    hands.select_row("aorta")
    driver.click(hands.ui.acceptButton)
    erase_a_voxel(node_of(hands), "pancreas")
    driver.click(hands.ui.segmentButton)
    answer(hands, "Replace")
    hands.wait_for_end()
    assert sorted(segment_names(hands)) == ["aorta", "aorta 2", "liver", "pancreas", "pancreas 2"]
    assert hands.note == ""


def test_nothing_is_replaced_by_a_run_that_fails(hands):
    hands.segment("liver")
    hands.panel.engine.use(Failing())
    hands.wait_until_offered()
    driver.click(hands.ui.segmentButton)
    answer(hands, "Replace")
    hands.wait_for_end()
    assert segment_names(hands) == ["liver"]


def test_question_goes_away_with_its_text(hands):
    hands.segment("liver")
    driver.click(hands.ui.segmentButton)
    assert hands.ui.messageFrame.visible
    hands.ui.promptEdit.text = "aorta"
    hands.wait_until_offered()
    driver.wait_until(lambda: not hands.ui.messageFrame.visible, "the end of the question")


def test_enter_during_a_run_begins_afterwards(hands):
    """sl7: it did nothing."""
    slow(hands)
    start(hands, "liver, aorta")
    first = hands.widget.logic.run
    hands.ui.promptEdit.text = "pancreas"
    hands.wait_until_read()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert hands.widget.logic.run is first
    assert "Next: pancreas" in hands.ui.messageLabel.text
    driver.wait_until(lambda: hands.widget.logic.run is not first, "the second run")
    assert first.state == "done"
    hands.wait_for_end()
    assert segment_names(hands) == ["liver", "aorta", "pancreas"]


def test_what_waits_can_be_left_out(hands):
    slow(hands)
    start(hands, "liver, aorta")
    first = hands.widget.logic.run
    hands.ui.promptEdit.text = "pancreas"
    hands.wait_until_read()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    answer(hands, "Leave it out")
    hands.wait_for_end()
    driver.run_events(100)
    assert hands.widget.logic.run is first


def test_what_waits_does_not_begin_after_a_failure_and_that_is_said(hands):
    class Late(FakeSegmenter):
        def segment(self, *arguments, **options):
            super().segment(*arguments, **options)
            raise OutOfMemoryError("No memory is left.", "Close other programs.")

    hands.panel.engine.use(Late(0.2))
    start(hands, "liver, aorta")
    first = hands.widget.logic.run
    hands.ui.promptEdit.text = "pancreas"
    hands.wait_until_read()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    hands.wait_for_end()
    driver.run_events(100)
    assert hands.widget.logic.run is first
    assert "Not begun: pancreas." in hands.ui.messageLabel.text


def test_what_was_not_done_is_looked_for_with_a_click(hands):
    """sl7: also what was not found; only that, and once."""
    slow(hands)
    start(hands, "liver, spleen, pancreas")
    driver.wait_until(lambda: hands.states()[:1] == [["liver", "done"]], "the first row")
    driver.click(hands.ui.cancelButton)
    hands.wait_for_end()
    slow(hands, 0)
    rows = {row.structure: row for row in hands.panel.results.shown.rows}
    hands.ui.resultsNoteLabel.linkActivated.emit(rows["pancreas"].key)
    hands.wait_for_end()
    assert segment_names(hands) == ["liver", "pancreas"]
    hands.ui.resultsNoteLabel.linkActivated.emit(rows["spleen"].key)
    hands.wait_for_end()
    assert segment_names(hands) == ["liver", "pancreas"]
    assert hands.note == "Not found in this image: spleen"
