"""The canonical grid: the grid that the network expects, computed from the grid of the scan.

Pure geometry, without voxels. Orientation and voxel size follow MONAI's ``Orientationd`` and
``Spacingd(diagonal=False)``, with which SAT was trained: axes are permuted and flipped to the nearest
anatomical axes; then the voxel size changes, keeping the (oblique) rotation and removing shear. The tests
compare this with MONAI.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.errors import LimitExceededError
from textsegment.geometry import Box, Geometry

ORIENTATIONS = ("RAS", "ASR")
"""Orientations in which SAT was trained: ASR for sagittally acquired MR of the spine, RAS for all else."""

_AXIS_AND_SIGN = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
# MONAI keeps a voxel size (in mm) or a grid (in voxels) that differs from the desired one by less than this.
_TOLERANCE = 1e-3
# 2 GB of float32; a whole body at 1×1×3 mm takes a third of it.
_MAX_CANONICAL_VOXELS = 2**29


def axis_order(
    geometry: Geometry, orientation: str = "RAS"
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Find which axis of a grid becomes which canonical axis, and in which direction.

    Args:
        geometry: Grid in any orientation.
        orientation: Directions in which the canonical axes increase, such as ``"RAS"``.

    Returns:
        For each canonical axis, the index of the corresponding axis of the grid; and for each, 1 or −1 for
        its direction.
    """
    unit = geometry.affine[:3, :3] / np.asarray(geometry.spacing)
    left, _, right = np.linalg.svd(unit)
    rotation = left @ right
    anatomical: dict[int, tuple[int, int]] = {}
    # The axis closest to an anatomical one goes first, so that the result does not depend on their order.
    for axis in np.argsort(-np.max(rotation**2, axis=0), kind="stable"):
        nearest = int(np.argmax(np.abs(rotation[:, axis])))
        anatomical[nearest] = (int(axis), 1 if rotation[nearest, axis] > 0 else -1)
        rotation[nearest] = 0
    wanted = [_AXIS_AND_SIGN[code] for code in orientation]
    a, b, c = (anatomical[axis][0] for axis, _ in wanted)
    x, y, z = (anatomical[axis][1] * sign for axis, sign in wanted)
    return (a, b, c), (x, y, z)


def oriented(geometry: Geometry, axes: tuple[int, int, int], signs: tuple[int, int, int]) -> Geometry:
    """Return the grid of the same voxels after permuting and flipping the axes as ``axis_order`` says."""
    shape = geometry.spatial_shape
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    for new, (old, sign) in enumerate(zip(axes, signs, strict=True)):
        to_old[old, new] = sign
        to_old[old, 3] = 0 if sign > 0 else shape[old] - 1
    i, j, k = (shape[axis] for axis in axes)
    return Geometry((i, j, k), geometry.affine @ to_old)


def respaced(geometry: Geometry, spacing: tuple[float, float, float]) -> Geometry:
    """Return a grid with another voxel size over the same extent, without shear.

    The centre of the first voxel stays in place (unless shear prevents it); the number of voxels along each
    axis is round((n − 1) · old / new + 1).

    Args:
        geometry: Oriented grid of the scan.
        spacing: Desired voxel size in millimetres, along the axes of the grid.

    Raises:
        LimitExceededError: The grid would be too large for memory.
    """
    size = np.where(np.abs(np.subtract(geometry.spacing, spacing)) <= _TOLERANCE, geometry.spacing, spacing)
    matrix = geometry.affine[:3, :3]
    # QR decomposition by Cholesky: the first axis keeps its direction, the others are orthogonalised.
    upper = np.linalg.cholesky(matrix.T @ matrix).T
    new_matrix = matrix @ np.linalg.inv(upper) @ np.diag(size)
    last = np.subtract(geometry.spatial_shape, 1)
    corners = np.array(list(product(*([0, n] for n in last))), dtype=np.float64)
    corners_new = corners @ np.linalg.solve(new_matrix, matrix).T
    low = corners_new.min(axis=0)
    extent = np.round(np.ptp(corners_new, axis=0) + 1.0)
    if np.prod(extent) > _MAX_CANONICAL_VOXELS:
        raise LimitExceededError(
            Caution("limit_model_grid", voxels=float(np.prod(extent))),
            "Check the voxel size in its header, or crop the image.",
        )
    i, j, k = (int(n) for n in extent)
    affine = np.eye(4)
    affine[:3, :3] = new_matrix
    first = next(
        (corner for corner, at in zip(corners, corners_new, strict=True) if np.allclose(at, low, atol=1e-8)),
        None,
    )
    if first is not None:
        affine[:3, 3] = geometry.to_ras(first)
    else:  # so sheared that no corner is lowest on all axes: align the centres of both grids
        affine[:3, 3] = geometry.to_ras(np.divide(geometry.spatial_shape, 2)) - new_matrix @ (extent / 2)
    resized = Geometry((i, j, k), affine)
    if resized.spatial_shape == geometry.spatial_shape and np.allclose(
        index_map(geometry, resized), np.eye(4), atol=_TOLERANCE
    ):
        return geometry
    return resized


def index_map(source: Geometry, target: Geometry) -> NDArray[np.float64]:
    """Return the 4×4 matrix from a voxel index of ``target`` to the (fractional) index of ``source``."""
    return np.asarray(np.linalg.solve(source.affine, target.affine), dtype=np.float64)


def box_on(target: Geometry, source: Geometry, box: Box) -> Box:
    """Return the box on a grid that contains all its voxels within one voxel of a box on another grid.

    Args:
        target: Grid of the result.
        source: Grid of ``box``.
        box: Box of voxels of ``source``, not empty.

    Returns:
        Box clipped to ``target``, with a shape of zero if they do not overlap.
    """
    low, high = np.subtract(box.start, 1), np.asarray(box.stop)
    indices = target.to_index(source.to_ras(list(product(*zip(low, high, strict=True)))))
    i, j, k = np.floor(indices.min(axis=0)).astype(int).tolist()
    p, q, r = (np.ceil(indices.max(axis=0)).astype(int) + 1).tolist()
    return Box((i, j, k), (p, q, r)).cut_to(target.spatial_shape)
