"""Segments lie exactly on the voxels of the volume, whatever the orientation of its grid."""

import math

import numpy as np
import pytest
import slicer
import vtk
from cases import array, mask_points_ras, orientations, points_ras, volume_node
from textsegment.geometry import Geometry
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.volume import Volume
from TextSegmentLib.logic import TextSegmentLogic

SHAPE = (9, 12, 14)


def oblique() -> np.ndarray:
    a, b = math.radians(25), math.radians(-40)
    about_z = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([0.7, -1.3, 2.5])
    affine[:3, 3] = (-100, 33, 7.5)
    return affine


def sheared() -> np.ndarray:
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    affine[1, 2] = 3 * math.tan(math.radians(15))  # gantry tilt
    return affine


GRIDS = [*orientations(), oblique(), sheared()]
NAMES = [*(f"orientation-{n}" for n in range(48)), "oblique", "sheared"]


@pytest.mark.parametrize("affine", GRIDS, ids=NAMES)
def test_a_segment_lies_on_the_voxels_of_the_volume(affine):
    node = volume_node(phantom(SHAPE, affine))
    result = TextSegmentLogic().segment(node, "liver", segmenter=FakeSegmenter(), modality="CT")
    geometry = Geometry(SHAPE, affine)
    assert np.array_equal(points_ras(result, "liver"), mask_points_ras(ball("liver", geometry), geometry))


def test_an_image_that_was_cut_out_of_another_keeps_its_place():
    """The first voxel of a cropped image is not at IJK (0, 0, 0)."""
    whole = phantom((20, 20, 20), oblique())
    node = volume_node(whole)
    cut = vtk.vtkExtractVOI()
    cut.SetInputData(node.GetImageData())
    cut.SetVOI(3, 14, 5, 17, 2, 12)
    cut.Update()
    node.SetAndObserveImageData(cut.GetOutput())
    assert node.GetImageData().GetExtent() == (3, 14, 5, 17, 2, 12)

    result = TextSegmentLogic().segment(node, "liver", segmenter=FakeSegmenter(), modality="CT")

    affine = whole.geometry.affine.copy()
    affine[:3, 3] = whole.geometry.to_ras((3, 5, 2))
    part = Geometry((12, 13, 11), affine)
    assert np.array_equal(points_ras(result, "liver"), mask_points_ras(ball("liver", part), part))


def test_the_segmenter_gets_the_voxels_of_the_node_in_our_order():
    class Watching(FakeSegmenter):
        def segment(self, volume, *arguments, **keywords):
            self.seen = volume
            return super().segment(volume, *arguments, **keywords)

    volume, segmenter = phantom(SHAPE, oblique()), Watching()
    TextSegmentLogic().segment(volume_node(volume), "liver", segmenter=segmenter, modality="CT")
    assert np.array_equal(segmenter.seen.voxels, volume.voxels)
    assert segmenter.seen.voxels.flags.c_contiguous
    assert np.allclose(segmenter.seen.geometry.affine, volume.geometry.affine, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
)
def test_all_types_of_voxels_run(kind):
    voxels = (np.arange(np.prod(SHAPE)) % 120).reshape(SHAPE).astype(kind)
    node = volume_node(Volume(voxels, Geometry(SHAPE, oblique()), "MR"))
    result = TextSegmentLogic().segment(node, "thalamus", segmenter=FakeSegmenter(), modality="MR")
    assert result.GetSegmentation().GetNumberOfSegments() == 1


def test_the_reference_geometry_is_that_of_the_volume():
    node = volume_node(phantom(SHAPE, oblique()))
    result = TextSegmentLogic().segment(node, "liver", segmenter=FakeSegmenter(), modality="CT")
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    geometry = slicer.vtkOrientedImageData()
    text = result.GetSegmentation().GetConversionParameter(name)
    assert slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, geometry, False)
    to_world = vtk.vtkMatrix4x4()
    geometry.GetImageToWorldMatrix(to_world)
    assert np.allclose(array(to_world), oblique(), rtol=0, atol=1e-9)
    assert geometry.GetDimensions() == SHAPE
    assert result.GetNodeReference(result.GetReferenceImageGeometryReferenceRole()) is node
