"""Two segmentations on one grid."""

from __future__ import annotations

from enum import Enum
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from textsegment.errors import GeometryError
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import Segmentation, StructureMask

# Largest distance, in voxels, at which two voxels count as the same.
_SAME_VOXEL = 0.02


class Fit(str, Enum):
    """How the grid of a result relates to that of a reference."""

    SAME = "same"
    ALIGNED = "aligned"
    """Other extent or order of axes, but the same voxels: nothing is interpolated."""
    RESAMPLED = "resampled"


class Aligned(NamedTuple):
    """Two segmentations on one grid, which contains all masks of both.

    Attributes:
        result: The result, on the grid of the reference, extended as far as needed.
        reference: The reference on the same grid; its voxels are never interpolated.
        fit: What was done to the result.
    """

    result: Segmentation
    reference: Segmentation
    fit: Fit


def align(result: Segmentation, reference: Segmentation) -> Aligned:
    """Bring a result to the voxels of a reference.

    Masks on other voxels are interpolated linearly: a voxel belongs to the structure if at least half of its
    neighbourhood does.

    Raises:
        GeometryError: The grids have no place in common.
    """
    # Maps indices of the reference to indices of the result.
    matrix = np.linalg.inv(result.geometry.affine) @ reference.geometry.affine
    _require_overlap(result.geometry, reference.geometry)
    fit = _fit(matrix, result.geometry, reference.geometry)
    if fit is Fit.SAME:
        return Aligned(Segmentation(reference.geometry, result.masks), reference, fit)
    if fit is Fit.ALIGNED:
        matrix = np.rint(matrix)
    moved = [_moved(mask, matrix) for mask in result]
    boxes = [box for box, _ in moved if 0 not in box.shape]
    grid, shift = _extended(reference.geometry, boxes)
    result_masks = tuple(
        StructureMask.measured(mask.structure, region, grid, start=_plus(box.start, shift))
        for mask, (box, region) in zip(result, moved, strict=True)
    )
    reference_masks = tuple(
        StructureMask.measured(mask.structure, mask.mask, grid, start=_plus(mask.box.start, shift))
        for mask in reference
    )
    return Aligned(Segmentation(grid, result_masks), Segmentation(grid, reference_masks), fit)


def _fit(matrix: NDArray[np.float64], result: Geometry, reference: Geometry) -> Fit:
    rounded = np.rint(matrix)
    corners = np.array(
        [(*corner, 1) for corner in product(*((0, n - 1) for n in reference.spatial_shape))], dtype=float
    )
    is_lattice = abs(abs(np.linalg.det(rounded[:3, :3])) - 1) < 0.5 and np.abs(rounded[:3, :3]).sum() == 3
    if not is_lattice or np.abs(corners @ (matrix - rounded).T).max() > _SAME_VOXEL:
        return Fit.RESAMPLED
    is_same = np.array_equal(rounded, np.eye(4)) and result.spatial_shape == reference.spatial_shape
    return Fit.SAME if is_same else Fit.ALIGNED


def _moved(mask: StructureMask, matrix: NDArray[np.float64]) -> tuple[Box, NDArray[np.bool_]]:
    """Return a mask in voxels of the reference: its box, which may begin below zero, and its voxels."""
    if mask.statistics.is_empty:
        return Box((0, 0, 0), (0, 0, 0)), np.zeros((0, 0, 0), dtype=bool)
    corners = np.array(list(product(*zip(mask.box.start, mask.box.stop, strict=True)))) - 0.5
    inverse = np.linalg.inv(matrix)
    there = corners @ inverse[:3, :3].T + inverse[:3, 3]
    low, high = np.floor(there.min(axis=0)).astype(int), np.ceil(there.max(axis=0)).astype(int) + 1
    region = affine_transform(
        np.pad(mask.mask, 1).astype(np.float32),
        matrix[:3, :3],
        matrix[:3, :3] @ low + matrix[:3, 3] - mask.box.start + 1,
        output_shape=tuple(high - low),
        order=1,
        mode="constant",
    )
    box = Box((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))
    inside = region >= 0.5
    tight = Box.around(inside)
    if tight is None:
        return Box((0, 0, 0), (0, 0, 0)), np.zeros((0, 0, 0), dtype=bool)
    return Box(_plus(tight.start, box.start), _plus(tight.stop, box.start)), inside[tight.slices]


def _extended(geometry: Geometry, boxes: list[Box]) -> tuple[Geometry, tuple[int, int, int]]:
    """Return the grid extended to contain boxes, and how far its first voxel moved, as a positive index."""
    starts = np.array([(0, 0, 0), *(box.start for box in boxes)]).min(axis=0)
    stops = np.array([geometry.spatial_shape, *(box.stop for box in boxes)]).max(axis=0)
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_ras(starts)
    i, j, k = (int(n) for n in -starts)
    p, q, r = (int(n) for n in stops - starts)
    return Geometry((p, q, r), affine), (i, j, k)


def _plus(index: tuple[int, int, int], shift: tuple[int, int, int]) -> tuple[int, int, int]:
    i, j, k = (a + b for a, b in zip(index, shift, strict=True))
    return (i, j, k)


def _require_overlap(one: Geometry, other: Geometry) -> None:
    corners = np.array(list(product(*((-0.5, n - 0.5) for n in other.spatial_shape))))
    there = one.to_index(other.to_ras(corners))
    apart = (there.max(axis=0) < -0.5) | (there.min(axis=0) > np.array(one.spatial_shape) - 0.5)
    if apart.any():
        raise GeometryError(
            "The two segmentations lie at different places: they share no part of the patient.",
            "Give two of the same scan, or register the scans first.",
        )
