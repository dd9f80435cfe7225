"""Slices of a volume and its masks in radiological orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.geometry import closest_axes
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.volume import Volume


@dataclass(frozen=True)
class View:
    """One of the three orthogonal views, in terms of anatomical axes (0 = R, 1 = A, 2 = S).

    Attributes:
        name: Name of the view, such as ``axial``.
        across: Axis perpendicular to the slices.
        horizontal: Axis along the rows of the picture; its high end is on the left.
        vertical: Axis along the columns of the picture; its high end is at the top.
        letters: Orientation letters at the left, right, top and bottom.
    """

    name: str
    across: int
    horizontal: int
    vertical: int
    letters: str


# Radiological display: the patient's right is on the left; in sagittal views, anterior is on the left.
VIEWS = (
    View("axial", 2, 0, 1, "RLAP"),
    View("coronal", 1, 0, 2, "RLSI"),
    View("sagittal", 0, 1, 2, "APSI"),
)


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice as a picture: rows from top to bottom, columns from left to right.

    Attributes:
        view: View to which the slice belongs.
        pixels: Voxel values ``[row, column]``.
        masks: For each mask of the segmentation, a boolean array ``[row, column]``, or None if the slice does
            not contain it.
        pixel_mm: Height and width of a pixel in millimetres.
        position_mm: RAS position of the slice along the axis perpendicular to it, in millimetres.
    """

    view: View
    pixels: NDArray[Any]
    masks: tuple[NDArray[np.bool_] | None, ...]
    pixel_mm: tuple[float, float]
    position_mm: float

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of the slice in millimetres."""
        rows, columns = self.pixels.shape
        return (rows * self.pixel_mm[0], columns * self.pixel_mm[1])


def fullest_slice(volume: Volume, segmentation: Segmentation, view: View) -> Slice:
    """Return the slice that shows the most of the structures, weighting each by its own largest area.

    An oblique grid is cut along its own axes, each identified with the closest anatomical axis.
    """
    return slice_at(volume, segmentation, view, fullest_index(segmentation, view))


def fullest_index(segmentation: Segmentation, view: View) -> int:
    """Return the voxel index, along the axis across a view, of the slice that shows the most structures."""
    return _fullest_index(segmentation, closest_axes(segmentation.geometry.affine).index(view.across))


def slice_at(volume: Volume, segmentation: Segmentation, view: View, index: int) -> Slice:
    """Return a slice of a volume and of masks on its grid.

    Args:
        volume: Scan.
        segmentation: Masks on the grid of the scan.
        view: View to show.
        index: Voxel index along the axis across the view.
    """
    geometry = volume.geometry
    voxel_axis = {anatomical: voxel for voxel, anatomical in enumerate(closest_axes(geometry.affine))}
    across, vertical, horizontal = (voxel_axis[a] for a in (view.across, view.vertical, view.horizontal))

    def oriented(plane: NDArray[Any]) -> NDArray[Any]:
        picture = plane if vertical < horizontal else plane.T
        rising = [geometry.direction[a, voxel_axis[a]] > 0 for a in (view.vertical, view.horizontal)]
        rows, columns = (slice(None, None, -1 if up else 1) for up in rising)
        return picture[rows, columns]

    centre = (np.asarray(geometry.spatial_shape) - 1) / 2
    centre[across] = index
    planes = [_plane(mask, index, across, geometry.spatial_shape) for mask in segmentation]
    return Slice(
        view,
        oriented(_cut(volume.voxels, index, across)),
        tuple(None if plane is None else oriented(plane) for plane in planes),
        (geometry.spacing[vertical], geometry.spacing[horizontal]),
        float(geometry.to_ras(centre)[view.across]),
    )


def _fullest_index(segmentation: Segmentation, across: int) -> int:
    length = segmentation.geometry.spatial_shape[across]
    others = tuple(axis for axis in range(3) if axis != across)
    score = np.zeros(length)
    for mask in segmentation:
        area = mask.mask.sum(axis=others)
        if area.any():
            score[mask.box.start[across] : mask.box.stop[across]] += area / area.max()
    return int(np.argmax(score)) if score.any() else length // 2


def _cut(array: NDArray[Any], index: int, axis: int) -> NDArray[Any]:
    """Return a plane of an array as a view; ``numpy.take`` would copy an array that is not in C order."""
    return array[(slice(None),) * axis + (index,)]


def _plane(
    mask: StructureMask, index: int, across: int, spatial_shape: tuple[int, int, int]
) -> NDArray[np.bool_] | None:
    start, stop = mask.box.start, mask.box.stop
    if not start[across] <= index < stop[across]:
        return None
    inside = _cut(mask.mask, index - start[across], across)
    if not inside.any():
        return None
    others = [axis for axis in range(3) if axis != across]
    whole = np.zeros([spatial_shape[axis] for axis in others], dtype=bool)
    whole[tuple(slice(start[axis], stop[axis]) for axis in others)] = inside
    return whole
