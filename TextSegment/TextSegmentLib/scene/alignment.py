"""Spatial relation of a segmentation to a volume: the map between their spaces, and whether grids match.

A saved scene stores numbers with six digits, so grids are compared with a tolerance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _
from textsegment.errors import OutputError

from TextSegmentLib.scene.segment.content import has_voxels
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP, segments_of
from TextSegmentLib.scene.volume_node import matrix_of

REFERENCE = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
# Two grids are the same if their corners differ by less than this, in voxels.
_SAME_CORNER = 0.05


def volume_to_segmentation(volume_node: Any, segmentation_node: Any) -> vtk.vtkMatrix4x4:
    """Return the matrix from a volume's space to a segmentation's, both before their parent transforms.

    Raises:
        OutputError: The map between the two is not linear.
    """
    theirs, ours = volume_node.GetParentTransformNode(), segmentation_node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if theirs is ours:
        return matrix
    some, other = (theirs, ours) if theirs else (ours, theirs)
    if not some.IsTransformToNodeLinear(other):
        raise OutputError(
            _("The segmentation is under another non-linear transform than the volume."),
            _("Choose a new segmentation, or put both under the same transform."),
        )
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(theirs, ours, matrix)
    return matrix


def reference_geometry(segmentation_node: Any) -> str:
    """Return the grid that a segmentation is saved on, as serialized by Slicer; empty if it has none."""
    return str(segmentation_node.GetSegmentation().GetConversionParameter(REFERENCE))


def has_grid_of(segmentation_node: Any, volume_node: Any) -> bool:
    """Return whether a segmentation has the same grid as a volume, at the same place."""
    try:
        matrix = _of_vtk(volume_to_segmentation(volume_node, segmentation_node))
    except OutputError:
        return False
    ours = matrix @ _corners(matrix_of(volume_node.GetIJKToRASMatrix), volume_node.GetImageData().GetExtent())
    reference = slicer.vtkOrientedImageData()
    text = reference_geometry(segmentation_node)
    if not text or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, reference, False):
        return False
    theirs = _corners(matrix_of(reference.GetImageToWorldMatrix), reference.GetExtent())
    smallest = np.linalg.norm(matrix_of(volume_node.GetIJKToRASMatrix)[:3, :3], axis=0).min()
    return bool(np.abs(ours - theirs).max() < _SAME_CORNER * smallest)


def belongs_to(segmentation_node: Any, volume_node: Any) -> bool:
    """Return whether a segmentation suits a volume: it is empty, or was made for the volume or its grid."""
    role = segmentation_node.GetReferenceImageGeometryReferenceRole()
    reference_node = segmentation_node.GetNodeReference(role)
    if reference_node is not None:
        return bool(reference_node is volume_node)
    if reference_geometry(segmentation_node):
        return has_grid_of(segmentation_node, volume_node)
    return _meets(segmentation_node, volume_node)


def _meets(segmentation_node: Any, volume_node: Any) -> bool:
    """Return whether every segment lies at least partly inside a volume."""
    try:
        to_volume = np.linalg.inv(_of_vtk(volume_to_segmentation(volume_node, segmentation_node)))
    except OutputError:
        return False
    to_index = np.linalg.inv(matrix_of(volume_node.GetIJKToRASMatrix)) @ to_volume
    extent = volume_node.GetImageData().GetExtent()
    for _id, segment in segments_of(segmentation_node):
        image = segment.GetRepresentation(BINARY_LABELMAP)
        if not has_voxels(image):
            continue
        index = (to_index @ _corners(matrix_of(image.GetImageToWorldMatrix), image.GetExtent()))[:3]
        if (index.max(axis=1) < extent[::2]).any() or (index.min(axis=1) > extent[1::2]).any():
            return False
    return True


def _corners(to_space: NDArray[np.float64], extent: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the positions of a grid's corner voxels as homogeneous columns, shape (4, 8)."""
    sides = np.meshgrid(extent[0:2], extent[2:4], extent[4:6], [1.0], indexing="ij")
    return to_space @ np.array([side.ravel() for side in sides], dtype=np.float64)


def _of_vtk(matrix: vtk.vtkMatrix4x4) -> NDArray[np.float64]:
    return matrix_of(lambda out: out.DeepCopy(matrix))
