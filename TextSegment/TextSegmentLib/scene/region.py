"""A markups ROI as the region of a volume that is looked at."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import slicer
import vtk
from textsegment.effort import Effort, region_in
from textsegment.geometry import Geometry


def effort_of(roi_node: Any, volume_node: Any, geometry: Geometry) -> Effort:
    """Return how much of a volume is computed for an ROI; the whole image without one.

    Args:
        roi_node: A ``vtkMRMLMarkupsROINode``, under any transform; None for the whole image.
        volume_node: The volume, under any transform.
        geometry: Grid of its voxels.

    Raises:
        GeometryError: The ROI lies outside the volume.
    """
    if roi_node is None:
        return Effort()
    bounds = [0.0] * 6
    roi_node.GetRASBounds(bounds)  # in the world; turned ROIs are boxed in
    to_volume = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        None, volume_node.GetParentTransformNode(), to_volume
    )
    corners = product(bounds[0:2], bounds[2:4], bounds[4:6])
    inside = np.array([to_volume.TransformPoint(corner) for corner in corners])
    region = region_in(geometry, inside.min(axis=0).tolist(), inside.max(axis=0).tolist())
    return Effort(region).within(geometry.spatial_shape)
