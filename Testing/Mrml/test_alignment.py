"""Alignment of a segmentation with an image: with a tolerance, and as it was at the start of a run."""

import numpy as np
import pytest
import slicer
from cases import mask_points_ras, matrix, names, points_ras, to_the_end, volume_node
from textsegment.geometry import Geometry
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.volume import Volume
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.alignment import belongs_to, has_grid_of

ANOTHER_IMAGE = "made for another image"


def oblique():
    """Scan whose matrix has more digits than a saved scene keeps."""
    angle = 0.1234567890123
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.9765625 / 3, 1.0 / 3, 7 / 3])
    affine[:3, 3] = (-123.45678901234, 1 / 3, 987.65432109876)
    return Volume(phantom().voxels, Geometry(phantom().geometry.spatial_shape, affine), "CT")


def start(node, structures, segmentation_node=None, segmenter=None):
    return TextSegmentLogic().start(
        node, structures, segmentation_node, modality="CT", segmenter=segmenter or FakeSegmenter()
    )


def finished(node, structures=("liver",), segmentation_node=None):
    run = start(node, structures, segmentation_node)
    to_the_end(run)
    assert run.error is None
    return run


def test_a_loaded_segmentation_is_that_of_the_same_image(tmp_path):
    """sl4."""
    finished(volume_node(oblique()))
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    (node,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    (segmentation_node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert has_grid_of(segmentation_node, node)
    assert belongs_to(segmentation_node, node)
    run = finished(node, ["aorta"], segmentation_node)
    assert not any(ANOTHER_IMAGE in warning for warning in run.warnings)


def moved(node, by):
    values = np.eye(4)
    values[:3, 3] = by
    other = volume_node(oblique(), "other")
    other.SetIJKToRASMatrix(matrix(values @ oblique().geometry.affine))
    return other


@pytest.mark.parametrize(("by", "same"), [((500, 0, 0), False), ((0.3, 0, 0), False), ((1e-4, 0, 0), True)])
def test_without_its_reference_node_a_segmentation_is_known_by_its_grid(by, same):
    """sl4: for example, one loaded from a file of its own."""
    node = volume_node(oblique())
    segmentation_node = finished(node).segmentation_node
    other = moved(node, by)
    slicer.mrmlScene.RemoveNode(node)
    assert belongs_to(segmentation_node, other) is same
    run = finished(other, ["aorta"], segmentation_node)
    assert any(ANOTHER_IMAGE in warning for warning in run.warnings) is not same


def test_without_any_reference_a_segmentation_is_known_by_where_its_segments_lie():
    """sl4."""
    node = volume_node(oblique())
    segmentation_node = finished(node).segmentation_node
    other = moved(node, (500, 0, 0))
    near = moved(node, (1, 0, 0))
    slicer.mrmlScene.RemoveNode(node)
    reference = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    segmentation_node.GetSegmentation().SetConversionParameter(reference, "")
    assert not belongs_to(segmentation_node, other)
    assert belongs_to(segmentation_node, near)


def test_a_segmentation_of_another_image_on_the_same_grid_is_not_gone_on_with():
    """sl4: a follow-up scan may have the same grid as an earlier one."""
    first, second = volume_node(oblique()), volume_node(oblique(), "later")
    segmentation_node = finished(first).segmentation_node
    assert belongs_to(segmentation_node, first)
    assert not belongs_to(segmentation_node, second)


def test_an_image_that_is_put_under_a_transform_during_a_run_splits_no_result():
    """sl5: all segments of a run lie where the image was when it began."""
    node = volume_node()
    run = start(node, ["liver", "aorta"], segmenter=FakeSegmenter(0.3))
    while "liver" not in (names(run.segmentation_node) if run.segmentation_node else []):
        assert run.process_events()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix(np.diag([1, -1, 1, 1]) + np.eye(4, k=3) * 70))
    node.SetAndObserveTransformNodeID(transform.GetID())
    to_the_end(run)
    assert run.error is None
    geometry = phantom().geometry
    for name in ("liver", "aorta"):
        expected = mask_points_ras(ball(name, geometry), geometry)
        assert np.array_equal(points_ras(run.segmentation_node, name), expected), name
    assert any("moved during the run" in warning for warning in run.warnings)


def test_another_time_point_during_a_run_changes_no_result():
    """sl5: the segments belong to the image at the start, and a warning says so."""
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    images = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for time in range(2):
        images.SetDataNodeAtValue(volume_node(), str(time))
    browser.SetAndObserveMasterSequenceNodeID(images.GetID())
    logic = slicer.modules.sequences.logic()
    logic.UpdateProxyNodesFromSequences(browser)
    run = start(browser.GetProxyNode(images), ["liver", "aorta"], segmenter=FakeSegmenter(0.3))
    while "liver" not in (names(run.segmentation_node) if run.segmentation_node else []):
        assert run.process_events()
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    to_the_end(run)
    assert run.state == "done", run.error
    assert names(run.segmentation_node) == ["liver", "aorta"]
    assert any("shows another image now" in warning for warning in run.warnings)
