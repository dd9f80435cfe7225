"""From typed text to segments: the real panel, a real server in its own process, a real CT."""

import contextlib

import numpy as np
import pytest
import slicer
import slicer.util
from segments import center_ras, dice, draw, fingerprint, mask, names, segment_id, tag
from slicer_host import driver
from structures import STRUCTURES, TEXT


@pytest.fixture
def result(hands, volume_node):
    """Segmentation node after the whole text was segmented."""
    hands.ui.inputSelector.setCurrentNode(volume_node)
    hands.segment(TEXT)
    hands.wait_for_end()
    assert hands.run.state == "done", hands.run.error
    return hands.run.segmentation_node


def test_typed_text_gives_the_command_lines_masks_bit_by_bit(result, volume_node, command_line_masks):
    assert names(result) == list(STRUCTURES)
    for name, expected in command_line_masks.items():
        found = mask(result, name, volume_node)
        assert dice(found, expected) == 1.0
        np.testing.assert_array_equal(found, expected)


def test_left_is_left_and_the_liver_is_on_the_right(result, volume_node):
    right, anterior, superior = range(3)  # RAS: the first axis points to the patient's right
    centers = {name: center_ras(result, name) for name in STRUCTURES}
    assert centers["left lung"][right] < centers["heart"][right] < centers["right lung"][right]
    assert centers["liver"][right] > centers["heart"][right]
    assert centers["liver"][superior] < centers["heart"][superior]
    assert centers["aorta"][anterior] < centers["heart"][anterior]


def test_segments_say_what_made_them_and_lie_beside_the_volume(result, volume_node):
    segment = result.GetSegmentation().GetSegment(segment_id(result, "liver"))
    assert tag(segment, "TextSegment.model") == "sat-demo"
    assert tag(segment, "TextSegment.prompt") == "liver"
    assert "Liver" in tag(segment, "TerminologyEntry")
    assert result.GetNodeReference("referenceImageGeometryRef") is volume_node
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in (result, volume_node)}
    assert len(parents) == 1


def test_second_run_adds_and_leaves_an_edited_segment_bit_by_bit(hands, result, volume_node):
    def cut_off_the_top(drawn):
        drawn[:, :, drawn.shape[2] // 2 :] = False

    draw(result, "left lung", volume_node, cut_off_the_top)
    before = {name: fingerprint(result, name) for name in STRUCTURES}
    hands.segment("trachea")
    hands.wait_for_end()
    assert names(result) == [*STRUCTURES, "trachea"]
    assert {name: fingerprint(result, name) for name in STRUCTURES} == before


def test_same_structure_again_keeps_the_edited_segment(hands, result, volume_node):
    """Fault 70."""

    def erase_a_slice(drawn):
        drawn[:, :, np.argwhere(drawn)[0, 2]] = False

    draw(result, "heart", volume_node, erase_a_slice)
    first = segment_id(result, "heart")
    edited = mask(result, "heart", volume_node)
    hands.segment("heart")
    hands.answer("Keep both")
    hands.wait_for_end()
    segmentation = result.GetSegmentation()
    kept = slicer.util.arrayFromSegmentBinaryLabelmap(result, first, volume_node).transpose(2, 1, 0) > 0
    np.testing.assert_array_equal(kept, edited)
    assert segmentation.GetNumberOfSegments() == len(STRUCTURES) + 1


def test_one_click_takes_the_run_back_and_nothing_else(hands, result, volume_node):
    before = {name: fingerprint(result, name) for name in STRUCTURES}
    hands.segment("trachea, vertebrae")
    hands.wait_for_end()
    assert len(names(result)) > len(STRUCTURES)
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: len(names(result)) == len(STRUCTURES), "what the run has brought to be gone")
    assert {name: fingerprint(result, name) for name in names(result)} == before


def test_saved_scene_brings_back_masks_text_and_choices(hands, result, volume_node, tmp_path):
    expected = {name: mask(result, name, volume_node) for name in STRUCTURES}
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    slicer.mrmlScene.Clear(False)
    assert hands.ui.promptEdit.text == ""
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    volume_again = hands.ui.inputSelector.currentNode()
    result_again = hands.ui.outputSelector.currentNode()
    assert volume_again.GetName() == "CTChest4"
    assert hands.ui.promptEdit.text == TEXT
    for name in STRUCTURES:
        np.testing.assert_array_equal(mask(result_again, name, volume_again), expected[name])
    segment = result_again.GetSegmentation().GetSegment(segment_id(result_again, "liver"))
    assert tag(segment, "TextSegment.model") == "sat-demo"


def test_segments_of_a_moved_volume_move_with_it(hands, volume_node, command_line_masks):
    import vtk

    hands.ui.inputSelector.setCurrentNode(volume_node)
    hands.segment("liver")
    hands.wait_for_end()
    still = center_ras(hands.run.segmentation_node, "liver")
    slicer.mrmlScene.RemoveNode(hands.run.segmentation_node)
    turn = vtk.vtkTransform()
    turn.Translate(30, -20, 10)
    turn.RotateZ(25)
    transform_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform_node.SetMatrixTransformToParent(turn.GetMatrix())
    volume_node.SetAndObserveTransformNodeID(transform_node.GetID())
    hands.segment("liver")
    hands.wait_for_end()
    moved = hands.run.segmentation_node
    assert moved.GetParentTransformNode() is transform_node
    np.testing.assert_allclose(center_ras(moved, "liver"), turn.TransformPoint(still), atol=1e-3)
    np.testing.assert_array_equal(mask(moved, "liver", volume_node), command_line_masks["liver"])


def test_segment_editor_opens_with_the_chosen_segment(hands, result):
    hands.ui.resultsTable.tableWidget().selectRow(STRUCTURES.index("aorta"))
    driver.click(hands.ui.editorButton)
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    assert editor.segmentationNode() is result
    assert editor.currentSegmentID() == segment_id(result, "aorta")


def test_click_on_a_result_centres_the_slice_views(hands, result, volume_node):
    from slicer_host.pictures import FourUp

    with contextlib.closing(FourUp(volume_node, (100, 100))) as views:
        driver.click_row(hands.ui.resultsTable.tableWidget(), STRUCTURES.index("aorta"), 3)
        center = center_ras(result, "aorta")
        assert abs(views.slices["Red"].logic.GetSliceOffset() - center[2]) < 10
        assert abs(views.slices["Green"].logic.GetSliceOffset() - center[1]) < 5
