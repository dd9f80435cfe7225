"""Volumes under transforms: results go under the same transform, or are moved to the right place."""

import numpy as np
import pytest
import slicer
import vtk
from cases import mask_points_ras, matrix, names, points_ras, to_the_end, volume_node
from textsegment.errors import OutputError
from textsegment.testing import FakeSegmenter, ball, phantom
from TextSegmentLib.logic import TextSegmentLogic

SHIFT = np.array([[0, -1, 0, 30], [1, 0, 0, -12], [0, 0, 1, 5], [0, 0, 0, 1.0]])
STRETCH = np.diag([1.5, 0.5, 2.0, 1.0])


def linear(values, parent=None):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix(values))
    node.SetAndObserveTransformNodeID(parent.GetID() if parent else None)
    return node


def bent():
    """Returns a grid transform that moves points by up to 20 mm."""
    grid = vtk.vtkImageData()
    grid.SetDimensions(4, 4, 4)
    grid.SetOrigin(-100, -100, -100)
    grid.SetSpacing(70, 70, 70)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    moves = vtk.util.numpy_support.vtk_to_numpy(grid.GetPointData().GetScalars())
    moves[:] = np.random.default_rng(1).uniform(-20, 20, moves.shape)
    transform = vtk.vtkGridTransform()
    transform.SetDisplacementGridData(grid)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.SetAndObserveTransformToParent(transform)
    return node


def segmented(node, segmentation_node=None):
    return TextSegmentLogic().segment(
        node, "liver", segmentation_node, segmenter=FakeSegmenter(), modality="CT"
    )


def expected():
    geometry = phantom().geometry
    return mask_points_ras(ball("liver", geometry), geometry)


@pytest.mark.parametrize("kind", ["linear", "nested", "bent", "linear below bent"])
def test_a_new_segmentation_goes_under_the_transform_of_the_volume(kind):
    """Fault 67."""
    transform = {
        "linear": lambda: linear(SHIFT),
        "nested": lambda: linear(SHIFT, parent=linear(STRETCH)),
        "bent": bent,
        "linear below bent": lambda: linear(SHIFT, parent=bent()),
    }[kind]()
    node = volume_node()
    node.SetAndObserveTransformNodeID(transform.GetID())
    result = segmented(node)
    assert result.GetParentTransformNode() is transform
    assert np.array_equal(points_ras(result, "liver"), expected())


def test_an_empty_segmentation_of_the_user_goes_under_the_transform_too():
    node, transform = volume_node(), linear(SHIFT)
    node.SetAndObserveTransformNodeID(transform.GetID())
    chosen = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert segmented(node, chosen) is chosen
    assert chosen.GetParentTransformNode() is transform


def test_a_segmentation_under_another_linear_transform_gets_the_mask_where_it_belongs():
    """No voxel is resampled: only the label map's matrix changes."""
    first = volume_node()
    result = segmented(first)
    inner = linear(SHIFT, parent=linear(STRETCH))
    second = volume_node()
    second.SetAndObserveTransformNodeID(inner.GetID())
    other = linear(STRETCH @ np.diag([1, -1, 1, 1]))
    result.SetAndObserveTransformNodeID(other.GetID())

    segmented(second, result)

    assert result.GetParentTransformNode() is other
    world = np.c_[expected(), np.ones(len(expected()))] @ (STRETCH @ SHIFT).T
    local = world @ np.linalg.inv(STRETCH @ np.diag([1, -1, 1, 1])).T
    rounded = np.round(local[:, :3], 4) + 0.0
    assert np.allclose(points_ras(result, "liver 2"), rounded[np.lexsort(rounded.T)], rtol=0, atol=2e-4)


def test_another_non_linear_transform_is_refused_before_anything_runs():
    """Fault 67."""
    node = volume_node()
    result = segmented(node)
    node.SetAndObserveTransformNodeID(bent().GetID())
    with pytest.raises(OutputError, match="non-linear"):
        segmented(node, result)
    assert names(result) == ["liver"]


def test_a_transform_that_comes_while_it_runs_stops_the_run_without_a_misplaced_segment():
    """Fault 67."""
    node = volume_node()
    result = segmented(node)
    run = TextSegmentLogic().start(node, ["aorta"], result, modality="CT", segmenter=FakeSegmenter(0.2))
    node.SetAndObserveTransformNodeID(bent().GetID())
    to_the_end(run)
    assert run.error.code == "output_unwritable"
    assert names(result) == ["liver"]
