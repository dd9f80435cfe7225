"""Undo and redo of runs, strokes and deletions in one history, and results stored with the scene."""

import numpy as np
import pytest
import slicer
from cases import Blocks, erase_a_voxel, labelmap, names, points_ras, row_of, segment, to_the_end, volume_node
from textsegment.testing import FakeSegmenter, phantom
from TextSegmentLib.history.history import history_of
from TextSegmentLib.history.packed_mask import PackedMask, changes_between
from TextSegmentLib.history.stored_masks import Kind, StoredMasks
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.segment.record import SegmentRecord
from vtk.util import numpy_support


def segmented(structures=("liver", "aorta"), segmentation_node=None, volume=None, segmenter=None):
    run = TextSegmentLogic().start(
        volume or volume_node(),
        structures,
        segmentation_node,
        modality="CT",
        segmenter=segmenter or FakeSegmenter(),
    )
    to_the_end(run)
    return run


def undo(results):
    results.settle()
    return [name for name in results.history.undo() if name]


def redo(results):
    results.settle()
    return [name for name in results.history.redo() if name]


def record_of(node, name):
    found = segment(node, name)
    return SegmentRecord.of(found, node.GetSegmentation().GetSegmentIdBySegment(found))


def stored(node, name):
    return StoredMasks(node).find(Kind.RESULT, record_of(node, name).content)


def draw_a_slice(node, name, k=3):
    """Fill a square in a slice of a segment's label map, as the brush does."""
    image = labelmap(node, name)
    scalars = image.GetPointData().GetScalars()
    values = numpy_support.vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    values[k, :3, :3] = segment(node, name).GetLabelValue()
    scalars.Modified()
    image.Modified()


def test_strokes_and_runs_are_undone_in_turn_and_done_again():
    """Issue 13.C3: one history for text and strokes."""
    run = segmented()
    node, results = run.segmentation_node, run.results
    results.settle()
    raw = points_ras(node, "liver")
    draw_a_slice(node, "liver")
    results.settle()
    drawn = points_ras(node, "liver")
    second = segmented(["heart"], node, run.volume_node)
    erase_a_voxel(node, "liver")
    results.settle()
    erased = points_ras(node, "liver")
    aorta = points_ras(node, "aorta")

    assert undo(results) == []
    assert np.array_equal(points_ras(node, "liver"), drawn)
    assert undo(results) == []
    assert names(node) == ["liver", "aorta"]
    assert undo(results) == []
    assert np.array_equal(points_ras(node, "liver"), raw)
    assert str(row_of(results, "liver").state) == "done"

    assert redo(results) == []
    assert np.array_equal(points_ras(node, "liver"), drawn)
    results.settle()
    assert str(row_of(results, "liver").state) == "edited"
    assert redo(results) == []
    assert names(node) == ["liver", "aorta", "heart"]
    assert row_of(second.results, "heart").run_id == second.rows[0].run_id
    assert redo(results) == []
    assert np.array_equal(points_ras(node, "liver"), erased)
    assert np.array_equal(points_ras(node, "aorta"), aorta)
    assert redo(results) == []


def test_a_deleted_drawing_comes_back_with_its_strokes():
    """Issue 13.C3: nothing of the user's drawing is lost."""
    run = segmented()
    node, results = run.segmentation_node, run.results
    results.settle()
    draw_a_slice(node, "liver")
    results.settle()
    drawn = points_ras(node, "liver")
    segment(node, "liver").SetName("my liver")
    results.delete(row_of(results, "liver"))
    assert names(node) == ["aorta"]
    undo(results)
    assert sorted(names(node)) == ["aorta", "my liver"]
    assert np.array_equal(points_ras(node, "my liver"), drawn)
    assert row_of(results, "liver").name == "my liver"


def test_undo_in_an_image_that_others_share_touches_no_other_segment():
    """Issue 13.C3, sl2: Slicer has merged the segments into one image."""
    structures = ["liver", "aorta", "heart"]
    run = segmented(structures, volume=volume_node(phantom((40, 44, 30))), segmenter=Blocks((10, 11, 9)))
    node, results = run.segmentation_node, run.results
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    results.settle()
    before = {name: points_ras(node, name) for name in structures}
    erase_a_voxel(node, "aorta")
    results.settle()
    undo(results)
    for name in structures:
        assert np.array_equal(points_ras(node, name), before[name]), name
    results.settle()
    assert {str(row.state) for row in results.rows} == {"done"}


def test_accepted_segments_are_kept_by_undo_and_said():
    """Issue 13.C3: accepted segments are never changed."""
    run = segmented()
    run.results.settle()
    run.results.accept(row_of(run.results, "liver"))
    assert undo(run.results) == ["liver"]
    assert names(run.segmentation_node) == ["liver"]


def test_looking_again_is_a_step_of_its_own():
    """Issue 13.C3: undo brings the earlier mask back."""
    logic = TextSegmentLogic()
    run = segmented(volume=volume_node(phantom((40, 44, 30))), segmenter=Blocks((10, 11, 9)))
    node, results = run.segmentation_node, run.results
    before = points_ras(node, "aorta")
    results.settle()
    again = logic.redo(results, row_of(results, "aorta"), segmenter=FakeSegmenter())
    to_the_end(again)
    assert not np.array_equal(points_ras(node, "aorta"), before)
    undo(results)
    assert names(node) == ["liver", "aorta"]
    assert np.array_equal(points_ras(node, "aorta"), before)


def test_results_are_stored_with_the_scene_and_found_after_loading(tmp_path):
    """Issue 13.C3: edits can be told apart from what was found, also tomorrow."""
    node = segmented().segmentation_node
    expected = {name: stored(node, name).mask_kji() for name in names(node)}
    draw_a_slice(node, "liver")
    path = tmp_path / "scene.mrb"
    slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(path))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    for name, mask in expected.items():
        assert np.array_equal(stored(node, name).mask_kji(), mask)
    results = TextSegmentLogic().results_of(
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"), node
    )
    results.settle()
    assert row_of(results, "liver").edited_slices == 1
    assert row_of(results, "aorta").edited_slices is None


@pytest.mark.parametrize("damage", ["", "no mask", "1 2 3 ff 0 0 0 1 0 0 0 1 0 0 0 1 AAAA"])
def test_a_damaged_result_counts_as_missing(damage):
    """Issue 13.C3: somebody has changed the file."""
    node = segmented().segmentation_node
    content = record_of(node, "liver").content
    store = node.GetNodeReference("TextSegment.StoredMasks")
    store.SetAttribute(f"result.{content.digest.hex()}", damage)
    assert StoredMasks(node).find(Kind.RESULT, content) is None
    assert StoredMasks(node).find(Kind.RAW, content) is None


def test_stored_results_go_with_their_segmentation():
    """Nothing is left in a scene when a segmentation is deleted."""
    node = segmented().segmentation_node
    slicer.mrmlScene.RemoveNode(node)
    segmented()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 1


def test_histories_do_not_outlive_their_segmentations():
    run = segmented()
    history = history_of(run.segmentation_node)
    assert history_of(run.segmentation_node) is history
    slicer.mrmlScene.RemoveNode(run.segmentation_node)
    assert history.segmentation_node is None
    assert [name for name in history.undo() if name] == []


def test_changed_slices_are_counted_whatever_the_boxes():
    mask = np.zeros((6, 8, 9), dtype=bool)
    mask[1:5, 2:6, 3:7] = True
    changed = mask.copy()
    changed[3, 0, 0:3] = True
    changed[0, 6, 8] = True
    to_ras = np.diag([2.0, 3.0, 5.0, 1.0])
    before, after = PackedMask.of(mask, to_ras), PackedMask.of(changed, to_ras)
    assert changes_between(before, after) == 2
    assert changes_between(before, before) == 0
    assert changes_between(before, None) is not None
    half = to_ras.copy()
    half[0, 3] = 1.0
    assert changes_between(before, PackedMask.of(mask, half)) is None
    assert np.array_equal(PackedMask.from_text(after.to_text()).mask_kji(), after.mask_kji())
