"""Correction in the panel: drawn slices are carried to the rest, shown, taken, undone."""

import numpy as np
import pytest
import qt
import slicer
from textsegment.errors import EngineLostError
from textsegment.testing import FakeSegmenter
from TextSegmentLib.correction import correcting
from TextSegmentLib.correction.edited_segment import EditedSegment
from TextSegmentLib.scene.volume_node import VolumeSource

from slicer_host import driver
from slicer_host.liveness import Gate


def node_of(hands):
    return hands.panel.results.shown.segmentation_node


def voxels(hands, name):
    node, volume_node = node_of(hands), hands.ui.inputSelector.currentNode()
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume_node) > 0


def draw(hands, name, by=4, k=0):
    """Move a slice of a segment along i, as a user would draw it anew; return the mask ``[k, j, i]``."""
    node, volume_node = node_of(hands), hands.ui.inputSelector.currentNode()
    mask = voxels(hands, name)
    k += int(np.argwhere(mask)[:, 0].mean())
    mask[k] = np.roll(mask[k], by, axis=1)
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, segment_id, volume_node)
    return mask


@pytest.fixture
def drawn(hands):
    """The panel after a run, with a slice of the liver drawn anew and its row selected."""
    hands.segment("liver, aorta")
    hands.select_row("liver")
    hands.mask = draw(hands, "liver")
    driver.wait_until(lambda: hands.ui.applyButton.enabled, "edits to apply")
    return hands


def apply(hands):
    driver.click(hands.ui.applyButton)
    driver.wait_until(lambda: hands.ui.previewFrame.visible, "the preview")


def previews():
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if node.GetName() == "TextSegment preview"]


def is_seen(hands, name):
    display_node = node_of(hands).GetDisplayNode()
    return display_node.GetSegmentVisibility(node_of(hands).GetSegmentation().GetSegmentIdBySegmentName(name))


def test_nothing_to_apply_until_something_is_drawn(hands):
    assert not hands.ui.correctButton.visible
    hands.segment("liver, aorta")
    assert hands.ui.correctButton.visible
    assert not hands.ui.applyButton.enabled
    hands.select_row("liver")
    assert not hands.ui.applyButton.enabled
    draw(hands, "liver")
    driver.wait_until(lambda: hands.ui.applyButton.enabled, "edits to apply")
    hands.select_row("aorta")
    assert not hands.ui.applyButton.enabled


def test_edits_are_applied_shown_and_taken(drawn):
    """Issue 13.C3."""
    assert "1 slice" in drawn.ui.correctLabel.text
    apply(drawn)
    assert np.array_equal(voxels(drawn, "liver"), drawn.mask)
    assert "liver" in drawn.ui.previewLabel.text
    (preview,) = previews()
    assert preview.GetDisplayVisibility()
    assert is_seen(drawn, "liver")
    driver.wait_until(lambda: not preview.GetDisplayVisibility(), "before, in turn")
    assert is_seen(drawn, "liver")
    driver.click(drawn.ui.takeButton)
    assert previews() == []
    assert is_seen(drawn, "liver")
    driver.wait_until(lambda: drawn.states() == [["liver", "corrected"], ["aorta", "done"]], "the rows")
    assert (voxels(drawn, "liver") != drawn.mask).any()


def test_correction_and_stroke_are_undone_in_turn(drawn):
    """Issue 13.C3: one history for text, strokes and correction."""
    apply(drawn)
    driver.click(drawn.ui.takeButton)
    taken = voxels(drawn, "liver")
    driver.click(drawn.ui.undoButton)
    driver.wait_until(lambda: drawn.states()[0] == ["liver", "edited"], "the drawing")
    assert np.array_equal(voxels(drawn, "liver"), drawn.mask)
    driver.click(drawn.ui.undoButton)
    driver.wait_until(lambda: drawn.states()[0] == ["liver", "done"], "the result")
    for _step in range(2):
        driver.wait_until(lambda: drawn.ui.redoStepButton.enabled, "a step")
        driver.click(drawn.ui.redoStepButton)
        driver.run_events(200)
    driver.wait_until(lambda: drawn.states()[0] == ["liver", "corrected"], "the correction")
    assert np.array_equal(voxels(drawn, "liver"), taken)


def test_undo_takes_a_preview_back_before_anything_else(drawn):
    """Issue 13.C3: what was drawn stays until the next undo."""
    apply(drawn)
    driver.click(drawn.ui.undoButton)
    assert previews() == []
    driver.run_events(200)
    assert np.array_equal(voxels(drawn, "liver"), drawn.mask)


def test_discarded_correction_leaves_the_drawing(drawn):
    apply(drawn)
    driver.click(drawn.ui.discardButton)
    assert previews() == []
    assert is_seen(drawn, "liver")
    assert not drawn.ui.previewFrame.visible
    assert np.array_equal(voxels(drawn, "liver"), drawn.mask)
    assert drawn.ui.applyButton.enabled


class Failing(FakeSegmenter):
    def correct(self, *_arguments, **_options):
        raise EngineLostError("The engine is <gone>.", "Start it again.")


def test_lost_engine_is_said_and_the_drawing_stays(drawn):
    """Issue 13.C3: engine killed."""
    drawn.panel.engine.use(Failing())
    driver.click(drawn.ui.applyButton)
    driver.wait_until(lambda: drawn.ui.messageFrame.visible, "the message")
    assert "The engine is &lt;gone&gt;." in drawn.ui.messageLabel.text
    assert np.array_equal(voxels(drawn, "liver"), drawn.mask)
    drawn.panel.engine.use(FakeSegmenter())
    apply(drawn)


def test_strokes_after_the_preview_are_not_overwritten(drawn):
    """Issue 13.C3: nothing of the user's drawing is ever lost."""
    apply(drawn)
    later = draw(drawn, "liver", by=-5, k=2)
    driver.click(drawn.ui.takeButton)
    assert "drawn in since" in drawn.ui.messageLabel.text
    assert np.array_equal(voxels(drawn, "liver"), later)


def test_accepted_segments_offer_no_tools(drawn):
    """Issue 13.C3: accepted segments are never changed."""
    driver.click(drawn.ui.acceptButton)
    assert not drawn.ui.applyButton.enabled
    driver.click(drawn.ui.correctButton)
    assert "accepted" in drawn.ui.correctLabel.text
    assert not drawn.panel.correction.editor.enabled
    drawn.ui.correctLabel.linkActivated.emit("take back")
    driver.wait_until(lambda: drawn.ui.applyButton.enabled, "edits to apply")
    assert drawn.panel.correction.editor.enabled


def test_editor_in_the_panel_follows_the_selection_and_erases_nothing_else(drawn):
    """Issue 13.C3: a strip of the Segment Editor, so that nobody leaves the panel."""
    assert drawn.panel.correction.editor is None
    driver.click(drawn.ui.correctButton)
    editor = drawn.panel.correction.editor
    assert editor.segmentationNode() is node_of(drawn)
    assert editor.sourceVolumeNode() is drawn.ui.inputSelector.currentNode()
    assert node_of(drawn).GetSegmentation().GetSegment(editor.currentSegmentID()).GetName() == "liver"
    editor_node = editor.mrmlSegmentEditorNode()
    assert editor_node.GetOverwriteMode() == editor_node.OverwriteNone
    assert not editor.undoEnabled
    drawn.select_row("aorta")
    assert node_of(drawn).GetSegmentation().GetSegment(editor.currentSegmentID()).GetName() == "aorta"
    editor.setActiveEffectByName("Paint")
    drawn.widget.exit()
    assert editor_node.GetActiveEffectName() == ""
    drawn.widget.enter()
    driver.fit_panel(drawn.widget.parent)


def test_points_are_placed_and_applied(hands):
    """Issue 13.C3: a point inside, a point outside, and a box."""
    hands.segment("liver")
    hands.select_row("liver")
    driver.click(hands.ui.correctButton)
    driver.click(hands.ui.insideButton)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert interaction.GetPlaceModePersistence()
    (points,) = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    to_ras = slicer.util.arrayFromVTKMatrix
    matrix = slicer.vtkMRMLSliceNode().GetSliceToRAS()
    hands.ui.inputSelector.currentNode().GetIJKToRASMatrix(matrix)
    k, j, i = np.argwhere(~voxels(hands, "liver"))[777]
    points.AddControlPoint((to_ras(matrix) @ [i, j, k, 1])[:3].tolist())
    driver.click(hands.ui.outsideButton)
    assert not hands.ui.insideButton.checked
    driver.wait_until(lambda: hands.ui.applyHereButton.enabled, "points to apply")
    driver.click(hands.ui.applyHereButton)
    driver.wait_until(lambda: hands.ui.previewFrame.visible, "the preview")
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    driver.click(hands.ui.takeButton)
    assert voxels(hands, "liver")[k, j, i]
    driver.click(hands.ui.clearMarksButton)
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")


def test_structure_is_looked_for_again_in_a_box(drawn):
    """Issue 13.C3: redo inside this box; drawn voxels stay."""
    driver.click(drawn.ui.correctButton)
    assert not drawn.ui.redoBoxButton.enabled
    driver.click(drawn.ui.boxButton)
    (roi,) = slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")
    bounds = [0.0] * 6
    drawn.ui.inputSelector.currentNode().GetRASBounds(bounds)
    roi.SetRadiusXYZ(*(abs(high - low) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)))
    roi.SetCenter(*((high + low) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)))
    driver.wait_until(lambda: drawn.ui.redoBoxButton.enabled, "a box")
    driver.click(drawn.ui.redoBoxButton)
    driver.wait_until(lambda: drawn.ui.previewFrame.visible, "the preview")
    driver.click(drawn.ui.takeButton)
    k = int(np.argwhere(drawn.mask)[:, 0].mean())
    assert np.array_equal(voxels(drawn, "liver")[k], drawn.mask[k])


def test_structure_that_the_model_does_not_know_is_drawn_once(hands):
    """Issue 13.C: two slices and a name."""
    hands.segment("liver")
    driver.click(hands.ui.correctButton)
    hands.ui.drawOnceEdit.text = " my  tumour "
    driver.click(hands.ui.drawOnceButton)
    node, volume_node = node_of(hands), hands.ui.inputSelector.currentNode()
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName("my tumour")
    assert hands.ui.resultsTable.selectedSegmentIDs() == (segment_id,)
    editor_node = hands.panel.correction.editor.mrmlSegmentEditorNode()
    assert editor_node.GetActiveEffectName() == "Draw"  # so that the first stroke draws
    mask = np.zeros((24, 36, 40), dtype=np.uint8)
    mask[8, 10:20, 10:22] = mask[12, 12:22, 12:24] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment_id, volume_node)
    driver.wait_until(lambda: hands.ui.applyButton.enabled, "something to apply")
    apply(hands)
    driver.click(hands.ui.takeButton)
    assert voxels(hands, "my tumour")[10].any()
    driver.wait_until(lambda: ["my tumour", "corrected"] in hands.states(), "its row")


@pytest.mark.parametrize("disturb", ["close", "remove", "segment", "reload"])
def test_preview_goes_with_what_it_belongs_to(drawn, disturb):
    """Issue 13.C3: scene closed, nodes removed, module reloaded."""
    apply(drawn)
    node = node_of(drawn)
    if disturb == "close":
        slicer.mrmlScene.Clear(0)
    elif disturb == "remove":
        slicer.mrmlScene.RemoveNode(node)
    elif disturb == "segment":
        node.GetSegmentation().RemoveSegment(node.GetSegmentation().GetSegmentIdBySegmentName("liver"))
    else:
        slicer.util.reloadScriptedModule("TextSegment")
    driver.wait_until(lambda: previews() == [], "the end of the preview")
    if disturb == "reload":
        assert np.array_equal(voxels_of(node, "liver"), drawn.mask)


def voxels_of(node, name):
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    volume_node = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[0]
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume_node) > 0


def test_saved_scene_has_no_preview_and_all_segments_visible(drawn, tmp_path):
    apply(drawn)
    path = tmp_path / "scene.mrb"
    slicer.util.saveScene(str(path))
    assert len(previews()) == 1
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(path))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    display_node = node.GetDisplayNode()
    assert previews() == []
    assert all(display_node.GetSegmentVisibility(each) for each in node.GetSegmentation().GetSegmentIDs())


def test_keys_work_without_leaving_the_table(drawn):
    """Issue 13.C3: shortcuts."""
    view = drawn.ui.resultsTable.tableWidget()
    view.setFocus()
    driver.press(view, qt.Qt.Key_C)
    driver.wait_until(lambda: drawn.ui.previewFrame.visible, "the preview")
    driver.press(view, qt.Qt.Key_B)
    assert not drawn.ui.blinkBox.checked
    driver.press(view, qt.Qt.Key_C)
    assert not drawn.ui.previewFrame.visible
    driver.wait_until(lambda: drawn.states()[0] == ["liver", "corrected"], "the correction")
    driver.press(view, qt.Qt.Key_Z, qt.Qt.ControlModifier)
    driver.wait_until(lambda: drawn.states()[0] == ["liver", "edited"], "the drawing")
    driver.press(view, qt.Qt.Key_Y, qt.Qt.ControlModifier)
    driver.wait_until(lambda: drawn.states()[0] == ["liver", "corrected"], "the correction again")


def test_panel_stays_alive_while_a_correction_is_computed(drawn, monkeypatch):
    """Issue 13.C3: nothing that grows with the image runs on the GUI thread."""
    with Gate() as gate:
        gate.hold(monkeypatch, VolumeSource, "to_volume")
        gate.hold(monkeypatch, EditedSegment, "compare")
        gate.hold(monkeypatch, FakeSegmenter, "correct")
        gate.hold(monkeypatch, correcting, "_outcome")
        apply(drawn)
        assert gate.passed == ["to_volume", "compare", "correct", "_outcome"]
        driver.click(drawn.ui.takeButton)
    assert drawn.states()[0] == ["liver", "corrected"]


def test_tools_stand_in_one_row_with_their_options_below(drawn):
    """Operated in an application: beside the tools, their options made the panel a third wider."""
    drawn.ui.correctButton.collapsed = False
    driver.wait_until(lambda: drawn.panel.correction.editor is not None, "the editor")
    editor = drawn.panel.correction.editor
    (tools,) = slicer.util.findChildren(editor, name="EffectsGroupBox")
    (options,) = slicer.util.findChildren(editor, name="OptionsGroupBox")
    editor.setActiveEffectByName("Erase")
    driver.fit_panel(drawn.widget.parent)
    assert len({button.y for button in tools.children() if button.className() == "QToolButton"}) == 1
    assert options.y > tools.y


def test_a_click_on_apply_leaves_the_keys_to_the_table(drawn):
    """Operated in an application: the focus went on to the name of a new structure, and so did the keys."""
    drawn.ui.correctButton.collapsed = False
    view = drawn.ui.resultsTable.tableWidget()
    view.setFocus()
    apply(drawn)
    assert slicer.app.focusWidget().objectName == view.objectName
    driver.click(drawn.ui.takeButton)
    assert slicer.app.focusWidget().objectName == view.objectName


def test_marks_of_another_segment_are_hidden_and_the_box_is_not_filled(hands):
    """Operated in an application: the box of one structure lay over the next one."""
    hands.segment("liver, aorta")
    hands.select_row("liver")
    driver.click(hands.ui.correctButton)
    driver.click(hands.ui.boxButton)
    (box,) = slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")
    assert not box.GetDisplayNode().GetFillVisibility()
    for name, is_shown in (("aorta", False), ("liver", True)):
        hands.select_row(name)
        driver.wait_until(lambda wanted=is_shown: bool(box.GetDisplayVisibility()) is wanted, name)


def test_the_preview_blinks_in_silence(drawn):
    """Operated in an application: Slicer reported an error for each change of a hidden segmentation."""
    apply(drawn)
    (preview,) = previews()
    heard = []
    preview.AddObserver(preview.DisplayModifiedEvent, lambda *_about: heard.append(1))
    for visible in (False, True):
        driver.wait_until(
            lambda wanted=visible: bool(preview.GetDisplayVisibility()) is wanted, "the other look"
        )
    assert heard == []
