"""Volume nodes for the tests, and the contents of segments, read with NumPy alone."""

import itertools
import time
from collections.abc import Iterator

import numpy as np
import slicer
import vtk
from textsegment.effort import WHOLE_IMAGE
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.segmenter import MaskReady, ModelInfo, ignore_events
from textsegment.testing import phantom
from textsegment.vocabulary.structures import known_in
from textsegment.volume import Volume
from vtk.util import numpy_support

LABELMAP = "Binary labelmap"


def volume_node(volume: Volume | None = None, name: str = "CT chest") -> slicer.vtkMRMLScalarVolumeNode:
    """Adds a node with the voxels and the place of a volume to the scene."""
    volume = volume or phantom()
    voxels_kji = np.ascontiguousarray(volume.voxels.transpose(2, 1, 0))
    node = slicer.util.addVolumeFromArray(voxels_kji, name=name)
    node.SetIJKToRASMatrix(matrix(volume.geometry.affine))
    return node


def matrix(values: np.ndarray) -> vtk.vtkMatrix4x4:
    """Returns a 4×4 array as a ``vtkMatrix4x4``."""
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(values, dtype=float).ravel().tolist())
    return result


def array(vtk_matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """Returns a ``vtkMatrix4x4`` as a 4×4 array."""
    return np.array([[vtk_matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def segment(node: slicer.vtkMRMLSegmentationNode, name: str) -> slicer.vtkSegment:
    """Returns the only segment of this name."""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
    (found,) = [each for each in segments if each.GetName() == name]
    return found


def names(node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Returns the names of the segments, in order."""
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]


def labelmap(node: slicer.vtkMRMLSegmentationNode, name: str) -> slicer.vtkOrientedImageData:
    """Returns the image that holds a segment, possibly with others."""
    return segment(node, name).GetRepresentation(LABELMAP)


def points_ras(node: slicer.vtkMRMLSegmentationNode, name: str) -> np.ndarray:
    """Returns the voxel positions of a segment in the node's space (RAS, mm): shape (n, 3), sorted."""
    image = labelmap(node, name)
    i, j, k = image.GetDimensions()
    voxels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i).transpose(2, 1, 0)
    index = np.argwhere(voxels == segment(node, name).GetLabelValue()) + image.GetExtent()[::2]
    to_world = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    return _sorted(Geometry((1, 1, 1), array(to_world)).to_ras(index))


def mask_points_ras(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Returns the positions of a mask's true voxels (RAS, mm): shape (n, 3), sorted."""
    return _sorted(geometry.to_ras(np.argwhere(mask)))


def orientations() -> Iterator[np.ndarray]:
    """Yields the 48 axis-aligned orientations of a grid of 2 × 3 × 5 mm voxels, as 4×4 matrices."""
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = 0
            for column, (axis, sign, spacing) in enumerate(zip(axes, signs, (2, 3, 5), strict=True)):
                affine[axis, column] = sign * spacing
            affine[:3, 3] = (17, -40, 250)
            yield affine


def tag(made: slicer.vtkSegment, key: str) -> str:
    """Returns the value of a tag, which the segment must have."""
    value = vtk.reference("")
    assert made.GetTag(key, value), key
    return str(value)


def row_of(results, structure: str):
    """Returns the newest row of a structure."""
    return [row for row in results.rows if row.structure == structure][-1]


def erase_a_voxel(node: slicer.vtkMRMLSegmentationNode, name: str) -> None:
    """Erases the first voxel of a segment, as the Segment Editor's brush does."""
    scalars = labelmap(node, name).GetPointData().GetScalars()
    values = numpy_support.vtk_to_numpy(scalars)
    values[np.flatnonzero(values == segment(node, name).GetLabelValue())[0]] = 0
    scalars.Modified()
    labelmap(node, name).Modified()


def to_the_end(run) -> None:
    """Processes the events of a run until its end, as the panel's timer does."""
    deadline = time.monotonic() + 600
    while run.process_events():
        assert time.monotonic() < deadline, "the run does not end"
        time.sleep(0.002)


def _sorted(points: np.ndarray) -> np.ndarray:
    rounded = np.round(points, 4) + 0.0
    return rounded[np.lexsort(rounded.T)]


class Blocks:
    """Segmenter that gives each structure its own block, in rows and layers without overlap."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape

    def info(self) -> ModelInfo:
        """Returns a model that has every structure in CT."""
        return ModelInfo("blocks", "0" * 64, "cpu", {"CT": known_in("CT")})

    def segment(
        self, volume, prompts, *, effort=WHOLE_IMAGE, on_event=ignore_events, cancel=None
    ) -> Segmentation:
        """Returns the blocks in order, as long as there is room for them."""
        counts = [
            size // block for size, block in zip(volume.geometry.spatial_shape, self._shape, strict=True)
        ]
        places = itertools.product(*(range(count) for count in counts))
        for prompt, place in zip(prompts, places, strict=False):
            start = tuple(at * block for at, block in zip(place, self._shape, strict=True))
            box = Box(start, tuple(at + block for at, block in zip(start, self._shape, strict=True)))
            mask = np.ones(box.shape, dtype=bool)
            mask[0, 0, 0] = False
            statistics = MaskStatistics(int(mask.sum()), 1.0, 0.0, 0.9, False)
            on_event(MaskReady(StructureMask(prompt, box, mask, statistics)))
        return Segmentation(volume.geometry, ())
