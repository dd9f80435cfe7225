"""Results of a finished run, as read from its segments: in the same session, and after save and load."""

import numpy as np
import slicer
from cases import erase_a_voxel, labelmap, matrix, names, row_of, segment, to_the_end, volume_node
from textsegment.testing import FakeSegmenter
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.volume_node import matrix_of


def finished(structures, node=None, volume=None):
    run = TextSegmentLogic().start(
        volume or volume_node(), structures, node, modality="CT", segmenter=FakeSegmenter()
    )
    to_the_end(run)
    return run


def look(rows):
    """Returns what the table shows of the rows."""
    numbers = [
        None if row.volume_ml is None else (round(row.volume_ml, 3), round(row.confidence, 3)) for row in rows
    ]
    return [
        (row.structure, row.state, row.accepted, number) for row, number in zip(rows, numbers, strict=True)
    ]


def saved_and_loaded(path):
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(path))
    (volume,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    (segmentation,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return volume, segmentation


def test_results_are_those_of_the_run_after_save_and_load(tmp_path):
    run = finished(["liver", "left kidney", "kidney"])
    run.results.accept(row_of(run.results, "left kidney"))
    before = look(run.rows)
    results = Results(*saved_and_loaded(tmp_path / "case.mrb"))
    assert look(results.rows) == before
    assert {row.modality for row in results.rows} == {"CT"}


def test_loaded_results_know_what_was_edited_and_accepted(tmp_path):
    run = finished(["liver", "trachea", "aorta", "heart"])
    run.results.accept(row_of(run.results, "aorta"))
    erase_a_voxel(run.segmentation_node, "trachea")
    volume, segmentation = saved_and_loaded(tmp_path / "case.mrb")
    results = Results(volume, segmentation)
    assert results.undo() == ("trachea", "aorta")
    assert names(segmentation) == ["trachea", "aorta"]


def test_edit_after_loading_is_noticed(tmp_path):
    finished(["liver", "aorta"])
    volume, segmentation = saved_and_loaded(tmp_path / "case.mrb")
    results = Results(volume, segmentation)
    erase_a_voxel(segmentation, "liver")
    assert results.undo() == ("liver",)


def test_loaded_results_under_a_transform_are_still_unedited(tmp_path):
    volume = volume_node()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix(np.diag([1, -1, 1, 1]) + np.eye(4, k=3) * 7.3))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    finished(["liver"], volume=volume)
    results = Results(*saved_and_loaded(tmp_path / "case.mrb"))
    assert results.undo() == ()


def test_loaded_results_are_looked_for_again(tmp_path):
    finished(["liver", "aorta"])
    volume, segmentation = saved_and_loaded(tmp_path / "case.mrb")
    results = Results(volume, segmentation)
    to_the_end(TextSegmentLogic().redo(results, row_of(results, "liver"), segmenter=FakeSegmenter()))
    assert names(segmentation) == ["aorta", "liver"]
    assert [row.state for row in results.rows] == ["done", "done"]


def test_all_runs_are_shown_and_undone_one_by_one():
    """sl3: the newest run first."""
    first = finished(["liver"])
    finished(["aorta", "heart"], first.segmentation_node, first.volume_node)
    results = Results(first.volume_node, first.segmentation_node)
    assert [row.structure for row in results.rows] == ["liver", "aorta", "heart"]
    assert results.undo() == ()
    assert names(first.segmentation_node) == ["liver"]
    assert [row.state for row in results.rows] == ["done", "removed", "removed"]
    assert results.undo() == ()
    assert names(first.segmentation_node) == []


def test_of_two_segments_for_a_structure_both_are_shown_and_the_edited_one_is_kept():
    run = finished(["liver"])
    erase_a_voxel(run.segmentation_node, "liver")
    to_the_end(TextSegmentLogic().redo(run.results, row_of(run.results, "liver"), segmenter=FakeSegmenter()))
    assert names(run.segmentation_node) == ["liver", "liver 2"]
    results = Results(run.volume_node, run.segmentation_node)
    _older, newer = results.rows
    assert newer.segment_id == run.rows[0].segment_id
    results.settle()
    assert [row.state for row in results.rows] == ["edited", "done"]
    assert results.undo() == ("liver",)
    assert names(run.segmentation_node) == ["liver"]


def test_segments_of_others_are_no_results():
    volume = volume_node()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert Results(volume, segmentation).rows == ()
    segmentation.GetSegmentation().AddEmptySegment("mine")
    assert Results(volume, segmentation).rows == ()


def test_segments_with_broken_tags_are_no_results():
    run = finished(["liver", "aorta"])
    segment(run.segmentation_node, "liver").SetTag("TextSegment.content", "1 2 nonsense")
    segment(run.segmentation_node, "aorta").SetTag("TextSegment.state", "fine")
    assert Results(run.volume_node, run.segmentation_node).rows == ()
    assert names(run.segmentation_node) == ["liver", "aorta"]


def test_taking_results_up_changes_no_node():
    run = finished(["liver"])
    scene = slicer.mrmlScene
    scene.RemoveNode(run.segmentation_node.GetDisplayNode())
    count = scene.GetNumberOfNodes()
    times = [node.GetMTime() for node in (run.volume_node, run.segmentation_node)]
    image_time = labelmap(run.segmentation_node, "liver").GetMTime()
    results = Results(run.volume_node, run.segmentation_node)
    results.settle()
    assert [row.state for row in results.rows] == ["done"]
    assert scene.GetNumberOfNodes() == count
    assert run.segmentation_node.GetDisplayNode() is None
    assert [node.GetMTime() for node in (run.volume_node, run.segmentation_node)] == times
    assert labelmap(run.segmentation_node, "liver").GetMTime() == image_time


def test_an_edited_segment_is_shown_with_its_volume_of_now():
    run = finished(["liver", "aorta"])
    found_ml = run.rows[0].volume_ml
    erase_a_voxel(run.segmentation_node, "liver")
    run.results.settle()
    edited, other = run.rows
    voxel_ml = abs(np.linalg.det(matrix_of(run.volume_node.GetIJKToRASMatrix)[:3, :3])) / 1000
    assert (edited.state, edited.confidence) == ("edited", None)
    assert np.isclose(edited.volume_ml, found_ml - voxel_ml)
    assert other.state == "done"


def test_what_the_segmentation_does_not_take_is_not_said_to_be_done():
    run = TextSegmentLogic().start(volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter(0.2))
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    run.segmentation_node.SetAndObserveTransformNodeID(bent.GetID())
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "output_unwritable")
    (row,) = run.rows
    assert (row.state, row.segment_id, row.volume_ml) == ("waiting", None, None)
