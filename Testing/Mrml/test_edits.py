"""Edits to the segments of a run, including where Slicer has merged many of them into one image."""

import threading

import numpy as np
import pytest
import slicer
from cases import (
    Blocks,
    erase_a_voxel,
    labelmap,
    names,
    points_ras,
    row_of,
    segment,
    to_the_end,
    volume_node,
)
from textsegment.testing import phantom
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.segment.content import LabelImage
from vtk.util import numpy_support

STRUCTURES = ["liver", "aorta", "heart", "spleen"]


@pytest.fixture
def together():
    """Run whose segments share one image, as after save and load."""
    node = volume_node(phantom((40, 44, 30)))
    run = TextSegmentLogic().start(node, STRUCTURES, modality="CT", segmenter=Blocks((10, 11, 9)))
    to_the_end(run)
    segmentation = run.segmentation_node.GetSegmentation()
    segmentation.CollapseBinaryLabelmaps(False)
    assert segmentation.GetNumberOfLayers() == 1
    return run


def results_of(run):
    """Returns the results as another session would see them."""
    return Results(run.volume_node, run.segmentation_node)


def set_a_voxel(node, name, index_kji):
    image = labelmap(node, name)
    scalars = image.GetPointData().GetScalars()
    numpy_support.vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])[index_kji] = segment(
        node, name
    ).GetLabelValue()
    scalars.Modified()
    image.Modified()


def states(results):
    results.settle()
    return {row.structure: str(row.state) for row in results.rows}


def test_segments_in_one_image_are_as_they_were_made(together):
    """sl2."""
    assert set(states(results_of(together)).values()) == {"done"}


def test_an_edit_outside_the_box_is_noticed(together):
    """sl2: the box alone is not enough."""
    set_a_voxel(together.segmentation_node, "aorta", (29 // 2, 20, 3))
    set_a_voxel(together.segmentation_node, "aorta", (0, 0, 0))
    found = states(results_of(together))
    assert found["aorta"] == "edited"
    assert [name for name, state in found.items() if state == "edited"] in (["aorta"], ["liver", "aorta"])


def test_an_edit_inside_the_box_is_noticed_in_that_segment_only(together):
    """sl2."""
    erase_a_voxel(together.segmentation_node, "heart")
    assert states(results_of(together)) == {
        "liver": "done",
        "aorta": "done",
        "heart": "edited",
        "spleen": "done",
    }


def test_undo_takes_segments_out_of_an_image_that_others_share(together):
    """sl2: no voxel of another segment is touched."""
    node = together.segmentation_node
    erase_a_voxel(node, "heart")
    before = points_ras(node, "heart")
    assert results_of(together).undo() == ("heart",)
    assert names(node) == ["heart"]
    assert np.array_equal(points_ras(node, "heart"), before)
    values = numpy_support.vtk_to_numpy(labelmap(node, "heart").GetPointData().GetScalars())
    assert np.count_nonzero(values) == len(before)


def test_a_deleted_segment_leaves_the_others_of_its_image(together):
    """sl2."""
    node = together.segmentation_node
    before = {name: points_ras(node, name) for name in STRUCTURES}
    results = results_of(together)
    results.settle()
    results.delete(row_of(results, "aorta"))
    assert names(node) == ["liver", "heart", "spleen"]
    for name in names(node):
        assert np.array_equal(points_ras(node, name), before[name])
    assert states(results) == {"liver": "done", "aorta": "removed", "heart": "done", "spleen": "done"}


def test_the_thread_of_the_windows_reads_no_whole_image(together, monkeypatch):
    """sl2: when choosing the segmentation, entering the module, and undoing."""
    readers = set()
    for name in ("count", "content"):
        real = getattr(LabelImage, name)

        def watched(self, *arguments, real=real):
            readers.add(threading.current_thread())
            return real(self, *arguments)

        monkeypatch.setattr(LabelImage, name, watched)
    results = results_of(together)
    while results.look():
        pass
    assert {str(row.state) for row in results.rows} == {"done"}
    results.delete(results.rows[0])
    results.undo()
    assert readers
    assert threading.current_thread() not in readers


def test_what_is_edited_while_it_is_compared_is_compared_again(together):
    """sl2."""
    results = results_of(together)
    assert results.look()
    erase_a_voxel(together.segmentation_node, "spleen")
    assert states(results)["spleen"] == "edited"


@pytest.mark.parametrize("edits", [False, True])
def test_scenes_of_older_versions_have_no_box_and_load_all_the_same(together, edits):
    """sl2: the tags that they lack are optional."""
    node = together.segmentation_node
    for name in STRUCTURES:
        for tag in ("box", "segment"):
            segment(node, name).RemoveTag(f"TextSegment.{tag}")
    if edits:
        erase_a_voxel(node, "liver")
    results = results_of(together)
    assert states(results) == dict.fromkeys(STRUCTURES, "done") | ({"liver": "edited"} if edits else {})
    assert results.undo() == (("liver",) if edits else ())
    assert names(node) == (["liver"] if edits else [])


def test_a_copy_that_the_user_made_is_not_taken_back(together):
    """sl3: a copy has the same tags, but belongs to the user."""
    node = together.segmentation_node
    copy = slicer.vtkSegment()
    copy.DeepCopy(segment(node, "liver"))
    copy.SetName("liver, my copy")
    node.GetSegmentation().AddSegment(copy, "my_copy")
    results = results_of(together)
    assert [row.structure for row in results.rows] == STRUCTURES
    assert results.undo() == ()
    assert names(node) == ["liver, my copy"]


def test_a_segment_that_comes_back_is_shown_again(together):
    """sl3: the editor's undo creates a new segment with the old identifier."""
    node = together.segmentation_node
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(node.GetSegmentation())
    history.SaveState()
    results = results_of(together)
    results.settle()
    results.delete(row_of(results, "heart"))
    assert states(results)["heart"] == "removed"
    history.RestorePreviousState()
    assert states(results) == dict.fromkeys(STRUCTURES, "done")
    assert results.undo() == ()


def test_rows_say_name_and_colour_of_now(together):
    """sl3."""
    made = segment(together.segmentation_node, "liver")
    made.SetName("hepar")
    made.SetColor(0.25, 0.5, 1.0)
    (row,) = [row for row in together.rows if row.structure == "liver"]
    assert (row.name, row.color) == ("hepar", (0.25, 0.5, 1.0))


def test_rows_of_a_deleted_node_can_be_asked_for_anything(together):
    """sl3."""
    results = together.results
    slicer.mrmlScene.RemoveNode(together.segmentation_node)
    assert {str(row.state) for row in results.rows} == {"removed"}
    for row in results.rows:
        results.accept(row)
        results.delete(row)
    assert not results.look()
    assert results.undo() == ()
