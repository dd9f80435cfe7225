"""Markups ROI as the region of a volume to be segmented."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import slicer
import vtk
from textsegment.effort import Effort, region_in
from textsegment.geometry import Geometry


def effort_of(roi_node: Any, volume_node: Any, geometry: Geometry) -> Effort:
    """Return the effort that limits a computation to an ROI; the whole image if there is none.

    Args:
        roi_node: ``vtkMRMLMarkupsROINode``, under any transform; None for the whole image.
        volume_node: Volume that is segmented, under any transform.
        geometry: Grid of the volume's voxels.

    Raises:
        GeometryError: The ROI lies outside the volume.
    """
    if roi_node is None:
        return Effort()
    bounds = [0.0] * 6
    roi_node.GetRASBounds(bounds)  # in world space; the bounding box of a rotated ROI
    to_volume = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        None, volume_node.GetParentTransformNode(), to_volume
    )
    corners = product(bounds[0:2], bounds[2:4], bounds[4:6])
    inside = np.array([to_volume.TransformPoint(corner) for corner in corners])
    region = region_in(geometry, inside.min(axis=0).tolist(), inside.max(axis=0).tolist())
    return Effort(region).within(geometry.spatial_shape)
