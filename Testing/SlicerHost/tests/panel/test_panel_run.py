import pytest
import qt
import slicer
from cases import erase_a_voxel
from textsegment.errors import OutOfMemoryError
from textsegment.testing import FakeSegmenter, ball
from TextSegmentLib.scene.volume_node import read_volume_node

from slicer_host import driver
from slicer_host.heartbeat import Heartbeat


class Failing(FakeSegmenter):
    def segment(self, *_arguments, **_options):
        raise OutOfMemoryError("The graphics card has no memory left.", "Close other programs <now>.")


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
    assert [row[:2] for row in rows] == [
        ["liver", "done"],
        ["left kidney", "done"],
        ["spleen", "not found"],
    ]
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
    driver.wait_until(lambda: hands.rows()[0][1] == "done", "the first row")
    assert hands.rows()[2][1] == "waiting"
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
    driver.wait_until(lambda: hands.rows()[0][1] == "done", "the first row")
    driver.click(hands.ui.cancelButton)
    hands.wait_for_end()
    assert hands.ui.segmentButton.visible
    assert hands.ui.segmentButton.enabled
    assert "Cancelled" in hands.ui.progressLabel.text
    assert hands.rows()[2][1] == "not done"
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
    index = hands.ui.resultsTable.model().index(0, 0)
    hands.ui.resultsTable.clicked.emit(index)
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
    assert hands.rows()[1][1] == "removed"
    driver.click(hands.ui.redoButton)
    hands.wait_for_end()
    assert sorted(segment_names(hands)) == ["aorta", "liver", "pancreas"]
    assert hands.rows()[1][1] == "done"


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


def states(hands):
    return [row[:2] for row in hands.rows()]


def test_a_run_is_a_step_of_its_own_for_the_undo_of_the_editor(hands, editor):
    """sl6: a stroke, a run, one undo in the editor: the stroke stays."""
    stroke(editor, "liver")
    hands.segment("aorta")
    editor.undo()
    assert segment_names(hands) == ["liver", "left kidney"]
    expected = [["liver", "edited"], ["left kidney", "done"], ["aorta", "removed"]]
    driver.wait_until(lambda: states(hands) == expected, "rows of now")


def test_a_stroke_during_a_run_is_a_step_of_its_own(hands, editor):
    """sl6: what comes after the stroke is not taken back with it."""
    slow(hands, 0.3)
    start(hands, "aorta, heart")
    driver.wait_until(lambda: "aorta" in segment_names(hands), "the first segment")
    stroke(editor, "aorta")
    hands.wait_for_end()
    editor.undo()
    assert segment_names(hands) == ["liver", "left kidney", "aorta"]
    driver.wait_until(lambda: ["aorta", "edited"] in states(hands), "rows of now")


def test_what_was_deleted_comes_back_by_the_undo_of_the_editor(hands, editor):
    """sl3: and the row with it; sl6: an undo before a deletion does not take more back."""
    stroke(editor, "liver")
    hands.select_row("left kidney")
    driver.click(hands.ui.deleteButton)
    assert states(hands)[1] == ["left kidney", "removed"]
    editor.undo()
    expected = [["liver", "edited"], ["left kidney", "done"]]
    driver.wait_until(lambda: states(hands) == expected, "rows of now")


def test_rows_follow_names_and_colours(hands):
    """sl3."""
    hands.segment("liver")
    made = node_of(hands).GetSegmentation().GetNthSegment(0)
    made.SetName("my liver")
    made.SetColor(1.0, 0.0, 1.0)
    driver.wait_until(lambda: hands.rows()[0][0] == "my liver", "the new name")
    item = hands.ui.resultsTable.model().item(0, 0)
    assert item.icon().pixmap(12).toImage().pixelColor(6, 6).name() == "#ff00ff"


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
    driver.wait_until(lambda: hands.rows()[0][1] == "removed", "the row that says so")


def test_panel_stays_alive_during_a_run(hands):
    slow(hands, 0.05)
    with Heartbeat() as heartbeat:
        start(hands, "ribs")
        hands.wait_for_end()
    assert len(heartbeat.beats) > 20


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
