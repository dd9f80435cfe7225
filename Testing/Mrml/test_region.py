"""A markups ROI limits the segmentation, wherever the image and the ROI lie."""

import numpy as np
import pytest
import slicer
import vtk
from cases import volume_node
from textsegment.errors import GeometryError
from textsegment.testing import FakeSegmenter, ball, phantom
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.region import effort_of


def roi_around(geometry, box, matrix=None):
    """Returns an ROI whose border lies halfway between the voxels of a box and those around it."""
    corners = geometry.to_ras([np.subtract(box[0], 0.4), np.subtract(box[1], 0.6)])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    node.SetCenter(corners.mean(axis=0).tolist())
    node.SetSize(np.abs(corners[1] - corners[0]).tolist())
    if matrix is not None:
        node.SetAndObserveTransformNodeID(matrix.GetID())
    return node


def moved():
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 40.0)
    matrix.SetElement(2, 3, -25.0)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix)
    return node


AXES = np.diag([-2.0, -2.0, 3.0, 1.0])
BOX = ((10, 4, 6), (30, 33, 20))


@pytest.mark.parametrize("is_moved", [False, True])
def test_masks_end_at_the_roi(is_moved):
    volume = phantom(affine=AXES)
    node = volume_node(volume)
    transform = moved() if is_moved else None
    if is_moved:
        node.SetAndObserveTransformNodeID(transform.GetID())
    roi = roi_around(volume.geometry, BOX, transform)
    segmentation = TextSegmentLogic().segment(
        node, "liver", modality="CT", segmenter=FakeSegmenter(), roiNode=roi
    )
    (segment_id,) = segmentation.GetSegmentation().GetSegmentIDs()
    found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, node).transpose()
    expected = np.zeros(volume.geometry.spatial_shape, dtype=bool)
    inside = tuple(slice(a, b) for a, b in zip(*BOX, strict=True))
    expected[inside] = ball("liver", volume.geometry)[inside]
    assert np.array_equal(found > 0, expected)
    assert 0 < expected.sum() < ball("liver", volume.geometry).sum()


def test_an_roi_and_an_image_under_different_transforms_meet_in_the_world():
    volume = phantom(affine=AXES)
    node, roi = volume_node(volume), roi_around(volume.geometry, BOX, moved())
    there = effort_of(roi, node, volume.geometry).region
    assert there.start == (0, 4, 0)  # 40 mm right is 20 voxels less along i, 25 mm down is 8 along k
    assert there != effort_of(roi_around(volume.geometry, BOX), node, volume.geometry).region


def test_an_roi_outside_the_image_is_refused_and_nothing_begins():
    volume = phantom(affine=AXES)
    node = volume_node(volume)
    roi = roi_around(volume.geometry, ((500, 4, 6), (510, 33, 20)))
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(GeometryError, match="outside the image"):
        TextSegmentLogic().segment(node, "liver", modality="CT", segmenter=FakeSegmenter(), roiNode=roi)
    assert slicer.mrmlScene.GetNumberOfNodes() == before
