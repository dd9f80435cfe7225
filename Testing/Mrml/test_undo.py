"""Undoing a run, and continuing to work with its segments."""

import pytest
import slicer
from cases import erase_a_voxel, labelmap, names, row_of, segment, to_the_end, volume_node
from textsegment.errors import BusyError
from textsegment.testing import FakeSegmenter
from TextSegmentLib.logic import TextSegmentLogic


def finished(structures=("liver", "aorta", "spleen"), segmentation_node=None, volume=None):
    run = TextSegmentLogic().start(
        volume or volume_node(), structures, segmentation_node, modality="CT", segmenter=FakeSegmenter()
    )
    to_the_end(run)
    return run


def redo(run, structure):
    """Looks for a structure of a run again, and waits for the end."""
    again = TextSegmentLogic().redo(run.results, row_of(run.results, structure), segmenter=FakeSegmenter())
    assert [row.structure for row in again.rows] == [structure]
    to_the_end(again)


def segmentations():
    return slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_undo_removes_the_node_that_was_made_for_the_run():
    run = finished()
    assert run.undo() == ()
    assert segmentations() == []
    assert [row.state for row in run.rows] == ["removed", "removed", "not_found"]


def test_undo_takes_exactly_the_segments_of_the_run():
    run = finished()
    more = finished(("heart", "liver"), run.segmentation_node)
    assert names(run.segmentation_node) == ["liver", "aorta", "heart", "liver 2"]
    assert more.undo() == ()
    assert names(run.segmentation_node) == ["liver", "aorta"]


def test_undo_gives_an_empty_segmentation_of_the_user_its_transform_and_geometry_back():
    chosen = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    chosen.SetAndObserveTransformNodeID(own.GetID())
    run = finished(segmentation_node=chosen)
    assert chosen.GetParentTransformNode() is None
    run.undo()
    assert segmentations() == [chosen]
    assert chosen.GetParentTransformNode() is own
    reference = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert chosen.GetSegmentation().GetConversionParameter(reference) == ""
    assert chosen.GetNodeReference(chosen.GetReferenceImageGeometryReferenceRole()) is None


def test_undo_keeps_what_was_edited_and_says_so():
    run = finished()
    erase_a_voxel(run.segmentation_node, "liver")
    assert run.undo() == ("liver",)
    assert names(run.segmentation_node) == ["liver"]
    assert run.undo(edited_too=True) == ()
    assert segmentations() == []


def test_undo_keeps_what_was_accepted():
    run = finished()
    run.results.accept(row_of(run.results, "aorta"))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.GetSegmentStatus(segment(run.segmentation_node, "aorta")) == logic.Completed
    assert run.undo() == ("aorta",)
    assert names(run.segmentation_node) == ["aorta"]


def test_label_maps_that_slicer_has_laid_together_are_not_taken_for_edited():
    """Saving a scene merges label maps."""
    run = finished(("liver", "trachea"))
    node = run.segmentation_node
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    assert labelmap(node, "liver") is labelmap(node, "trachea")
    erase_a_voxel(node, "trachea")
    assert run.undo() == ("trachea",)
    assert names(node) == ["trachea"]


def test_a_segment_that_was_renamed_and_not_edited_is_taken_back():
    run = finished(("liver",))
    segment(run.segmentation_node, "liver").SetName("my liver")
    assert run.undo() == ()


def test_a_segment_that_was_emptied_counts_as_edited():
    run = finished(("liver",))
    run.segmentation_node.GetSegmentation().ClearSegment("liver")
    assert run.undo() == ("liver",)


def test_undo_while_it_runs_stops_it():
    logic = TextSegmentLogic()
    run = logic.start(volume_node(), ["liver", "aorta"], modality="CT", segmenter=FakeSegmenter(0.1))
    while run.rows[0].segment_id is None:
        run.process_events()
    run.undo()
    assert run.state == "cancelled"
    assert segmentations() == []


def test_segments_that_somebody_else_removed_are_noticed():
    run = finished()
    run.segmentation_node.GetSegmentation().RemoveSegment("liver")
    assert [row.state for row in run.rows] == ["removed", "done", "not_found"]
    assert run.undo() == ()


def test_a_segment_of_a_later_run_is_not_taken_for_one_of_this():
    """The later one has the same identifier and content if the first one was removed."""
    run = finished(("liver", "aorta"))
    node = run.segmentation_node
    identifier = run.rows[0].segment_id
    node.GetSegmentation().RemoveSegment(identifier)
    later = finished(("liver",), node, volume=run.volume_node)
    assert later.rows[0].segment_id == identifier
    assert [row.state for row in run.rows] == ["removed", "done"]
    assert run.undo() == ()
    assert names(node) == ["liver"]


def test_a_listener_may_cancel():
    run = TextSegmentLogic().start(
        volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter(), on_event=lambda run: run.cancel()
    )
    to_the_end(run)
    assert run.state == "cancelled"


def test_redo_replaces_a_segment_that_was_not_edited():
    run = finished()
    redo(run, "liver")
    assert names(run.segmentation_node) == ["aorta", "liver"]
    assert run.rows[0].state == "done"


def test_redo_puts_a_new_segment_beside_an_edited_one():
    run = finished()
    erase_a_voxel(run.segmentation_node, "liver")
    redo(run, "liver")
    assert names(run.segmentation_node) == ["liver", "aorta", "liver 2"]
    assert run.undo() == ("liver",)
    assert names(run.segmentation_node) == ["liver"]


def test_redo_brings_back_what_was_deleted():
    run = finished()
    run.results.delete(row_of(run.results, "liver"))
    assert run.rows[0].state == "removed"
    assert names(run.segmentation_node) == ["aorta"]
    redo(run, "liver")
    assert run.rows[0].state == "done"


def test_redo_waits_for_the_end():
    """Fault 65."""
    logic = TextSegmentLogic()
    run = logic.start(volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter(5))
    with pytest.raises(BusyError):
        logic.redo(run.results, run.rows[0], segmenter=FakeSegmenter())
    assert run.rows[0].state == "waiting"
    run.cancel()
