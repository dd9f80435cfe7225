"""What a run adds to a segmentation, and what it leaves unchanged."""

import re

import numpy as np
import pytest
import slicer
from cases import (
    LABELMAP,
    erase_a_voxel,
    labelmap,
    mask_points_ras,
    names,
    points_ras,
    segment,
    tag,
    to_the_end,
    volume_node,
)
from textsegment.errors import OutputError
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.vocabulary.structures import find_structure, known_in
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.segment.record import mark_anew, tags_of
from vtk.util import numpy_support


def segmented(text, segmentation_node=None, node=None):
    return TextSegmentLogic().segment(
        node or volume_node(), text, segmentation_node, segmenter=FakeSegmenter(), modality="CT"
    )


def voxels(node, name):
    return numpy_support.vtk_to_numpy(labelmap(node, name).GetPointData().GetScalars()).copy()


def test_structures_that_overlap_are_all_kept():
    geometry = phantom().geometry
    result = segmented("kidney, left kidney, liver")
    balls = {name: ball(name, geometry) for name in ("kidney", "left kidney", "liver")}
    assert (balls["kidney"] & balls["left kidney"]).any()
    for name, mask in balls.items():
        assert np.array_equal(points_ras(result, name), mask_points_ras(mask, geometry))
    assert result.GetSegmentation().GetNumberOfLayers() == 3


def test_label_maps_are_cut_to_their_box():
    result = segmented("liver")
    geometry = phantom().geometry
    where = np.argwhere(ball("liver", geometry))
    extent = np.array(labelmap(result, "liver").GetExtent()).reshape(3, 2)
    assert np.array_equal(extent, np.c_[where.min(axis=0), where.max(axis=0)])


def test_a_segment_says_what_it_is_and_what_made_it():
    result = segmented("left kidney")
    made, known = segment(result, "left kidney"), find_structure("left kidney")
    assert result.GetSegmentation().GetNthSegmentID(0) == "left_kidney"
    assert made.GetColor() == pytest.approx([c / 255 for c in known.color])
    tags = {key: tag(made, f"TextSegment.{key}") for key in ("model", "weights_sha256", "prompt", "modality")}
    assert tags == {
        "model": "fake", "weights_sha256": "0" * 64, "prompt": "left kidney", "modality": "CT",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", tag(made, "TextSegment.date"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", tag(made, "TextSegment.version"))


def test_slicer_reads_the_terminology():
    made = segment(segmented("left kidney"), "left kidney")
    entry = slicer.vtkSlicerTerminologyEntry()
    text = tag(made, made.GetTerminologyEntryTagName())
    assert slicer.modules.terminologies.logic().DeserializeTerminologyEntry(text, entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "Kidney"
    assert entry.GetTypeModifierObject().GetCodeMeaning() == "Left"
    assert not entry.GetRegionModifierObject().GetCodeMeaning()


def test_no_patient_data_goes_into_tags():
    node = volume_node(name="Doe^Jane 1970")
    made = segment(segmented("liver", node=node), "liver")
    written = " ".join(tag(made, f"TextSegment.{key}") for key in ("model", "prompt", "version", "date"))
    assert "Doe" not in written


def test_other_segments_stay_bit_by_bit():
    result = segmented("liver, aorta")
    segmentation = result.GetSegmentation()
    segmentation.MergeSegmentLabelmaps(["liver", "aorta"])  # into one image, as when Slicer saves them
    result.GetDisplayNode().SetSegmentVisibility("aorta", False)
    before = {name: (labelmap(result, name), voxels(result, name)) for name in ("liver", "aorta")}
    times = {name: labelmap(result, name).GetMTime() for name in before}

    segmented("left kidney, heart", result)

    assert names(result) == ["liver", "aorta", "left kidney", "heart"]
    for name, (image, content) in before.items():
        assert labelmap(result, name) is image
        assert image.GetMTime() == times[name]
        assert np.array_equal(voxels(result, name), content)
    assert not result.GetDisplayNode().GetSegmentVisibility("aorta")


def test_a_name_that_is_there_is_not_overwritten():
    """Fault 70."""
    result = segmented("liver")
    erase_a_voxel(result, "liver")
    edited = voxels(result, "liver")
    segmented("liver", result)
    segmented("liver", result)
    assert names(result) == ["liver", "liver 2", "liver 3"]
    assert np.array_equal(voxels(result, "liver"), edited)
    assert voxels(result, "liver 2").sum() == edited.sum() + 1


def test_what_is_not_found_makes_no_segment_and_says_so():
    logic = TextSegmentLogic()
    result = logic.segment(volume_node(), "spleen, liver", segmenter=FakeSegmenter(), modality="CT")
    assert names(result) == ["liver"]
    row = logic.run.rows[0]
    assert (row.structure, row.state, row.segment_id) == ("spleen", "not_found", None)
    assert "Not found" in row.warnings[0]


def test_what_reaches_the_border_is_said_to_be_cut_off():
    volume = phantom((60, 60, 4), np.eye(4))
    balls = {name: ball(name, volume.geometry) for name in known_in("CT")}
    cut = next(name for name, mask in balls.items() if mask[:, :, [0, -1]].any())
    whole = next(name for name, mask in balls.items() if mask.any() and not mask[:, :, [0, -1]].any())
    run = TextSegmentLogic().start(
        volume_node(volume), [cut, whole], modality="CT", segmenter=FakeSegmenter()
    )
    to_the_end(run)
    assert [row.state for row in run.rows] == ["cut_off", "done"]


def test_rows_have_millilitres_and_confidence():
    logic = TextSegmentLogic()
    result = logic.segment(volume_node(), "liver", segmenter=FakeSegmenter(), modality="CT")
    (row,) = logic.run.rows
    geometry = phantom().geometry
    assert row.volume_ml == pytest.approx(ball("liver", geometry).sum() * geometry.voxel_volume_ml)
    assert row.confidence == 0.75
    assert result.GetSegmentation().GetSegment(row.segment_id).GetName() == "liver"


def test_results_lie_beside_the_volume_in_the_subject_hierarchy():
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    node = volume_node()
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)
    result = segmented("liver", node=node)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == study


def test_a_segmentation_of_surfaces_is_refused():
    result = segmented("liver")
    result.CreateClosedSurfaceRepresentation()
    result.SetSourceRepresentationToClosedSurface()
    with pytest.raises(OutputError, match="surfaces"):
        segmented("aorta", result)
    assert names(result) == ["liver"]


def test_a_segmentation_shown_in_3d_gets_surfaces_of_new_segments_too():
    result = segmented("liver")
    result.CreateClosedSurfaceRepresentation()
    segmented("aorta", result)
    surface = segment(result, "aorta").GetRepresentation("Closed surface")
    assert surface.GetNumberOfPoints() > 0
    assert segment(result, "aorta").GetRepresentation(LABELMAP) is not None


def test_another_grid_than_that_of_the_segmentation_is_said():
    result = segmented("liver")
    logic = TextSegmentLogic()
    other = volume_node(phantom((30, 30, 30), np.eye(4)))
    logic.segment(other, "aorta", result, segmenter=FakeSegmenter(), modality="CT")
    assert "another image" in logic.run.warnings[0]


def test_the_same_grid_is_not_said():
    node = volume_node()
    result = segmented("liver", node=node)
    logic = TextSegmentLogic()
    logic.segment(node, "aorta", result, segmenter=FakeSegmenter(), modality="CT")
    assert not any("another image" in warning for warning in logic.run.warnings)


def test_new_tags_of_a_segment_are_announced_once():
    """Operated in an application: with 45 segments each announcement blocked the GUI for 0.2 s."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("s", "s")
    heard = []
    node.AddObserver(slicer.vtkSegmentation.SegmentModified, lambda *_about: heard.append(1))
    segment = node.GetSegmentation().GetSegment("s")
    mark_anew(node, segment, {"model": "a", "prompt": "b", "run": "c", "state": "done"})
    assert len(heard) == 1
    assert tags_of(segment) == {"model": "a", "prompt": "b", "run": "c", "state": "done"}
