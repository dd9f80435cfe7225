"""Arrangement of image planes on a regular grid.

DICOM stores planes, each with its own position, whereas a volume is a grid. This module sorts planes along
their normal and determines the grid that they form, and which parts of it must be interpolated because planes
are missing or unevenly spaced. It does not deal with files. All positions are LPS millimetres (DICOM PS3.3
C.7.6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import GeometryError, VolumeInvalidError
from textsegment.files.images.raw_image import LPS_TO_RAS
from textsegment.geometry import Geometry

# Largest difference between components of unit vectors in one stack.
_SAME_DIRECTION = 2e-3
# Planes closer than this fraction of the usual distance count as being at the same position.
_SAME_PLACE = 0.02
# Planes within this fraction of the spacing of a regular grid count as lying on it.
_ON_GRID = 0.05
# A filled grid may have at most this many times the number of existing planes.
_MOST_FILLING = 3


@dataclass(frozen=True, eq=False)
class Plane:
    """Position, orientation and size of one image plane.

    Attributes:
        position_lps: Centre of the first pixel, in LPS millimetres.
        i_lps: Unit vector in the direction of increasing column index.
        j_lps: Unit vector in the direction of increasing row index.
        spacing: Distance between pixel centres along i and j, in millimetres.
        shape: Number of pixels along i and j.
        thickness: Slice thickness in millimetres, or None if the file does not state it.
    """

    position_lps: NDArray[np.float64]
    i_lps: NDArray[np.float64]
    j_lps: NDArray[np.float64]
    spacing: tuple[float, float]
    shape: tuple[int, int]
    thickness: float | None


@dataclass(frozen=True, eq=False)
class Stack:
    """A grid, and the arrangement of planes on it.

    Attributes:
        geometry: Grid, in RAS.
        order: Indices of the planes, sorted along their normal.
        places: Position of each sorted plane along the third axis, in voxels of the grid.
        lower: For each k of the grid, the index of the sorted plane at or below it.
        fraction: For each k, its position between that plane (0) and the next one (1).
        warnings: Messages for the user.
    """

    geometry: Geometry
    order: NDArray[np.intp]
    places: NDArray[np.float64]
    lower: NDArray[np.intp]
    fraction: NDArray[np.float64]
    warnings: tuple[str, ...]


# Headers may contain any number: the grid is checked, so NumPy need not warn.
@np.errstate(all="ignore")
def stack_planes(planes: Sequence[Plane]) -> Stack:
    """Arrange the planes of one series on a regular grid.

    A constant shift between planes (gantry tilt) is represented exactly by a sheared affine. Missing planes
    and uneven spacing lead to a regular grid that must be interpolated along k, with a warning.

    Args:
        planes: Planes in any order, at least one.

    Raises:
        GeometryError: The planes differ in direction or size, are shifted sideways irregularly, or leave gaps
            that are too wide to fill.
        VolumeInvalidError: Several planes are at the same position.
    """
    first = planes[0]
    _require_parallel(planes)
    normal = np.cross(first.i_lps, first.j_lps)
    positions = np.array([plane.position_lps for plane in planes])
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    positions, depth = positions[order], depth[order]
    if len(planes) == 1:
        if not first.thickness:
            raise GeometryError("The only slice does not say how thick it is.", "Give the whole series.")
        step, at = normal * first.thickness, np.zeros(1)
        warnings: tuple[str, ...] = ()
    else:
        _require_distinct(depth)
        direction = (positions[-1] - positions[0]) / (depth[-1] - depth[0])
        _require_aligned(positions, positions[0] + np.outer(depth - depth[0], direction), first)
        at, distance, warnings = _grid_along(depth - depth[0])
        step = direction * distance
    lower, fraction = _between(at)
    affine_lps = np.eye(4)
    affine_lps[:3, 0] = first.i_lps * first.spacing[0]
    affine_lps[:3, 1] = first.j_lps * first.spacing[1]
    affine_lps[:3, 2] = step
    affine_lps[:3, 3] = positions[0]
    geometry = Geometry((*first.shape, len(lower)), LPS_TO_RAS @ affine_lps)
    return Stack(geometry, order, at, lower, fraction, warnings)


def are_alike(first: Plane, second: Plane) -> bool:
    """Whether two planes have the same directions, size and pixel spacing, regardless of position."""
    return _turned(first, second) <= _SAME_DIRECTION and _have_one_size(first, second)


def _turned(first: Plane, second: Plane) -> float:
    return float(max(np.abs(second.i_lps - first.i_lps).max(), np.abs(second.j_lps - first.j_lps).max()))


def _have_one_size(first: Plane, second: Plane) -> bool:
    return first.shape == second.shape and np.allclose(second.spacing, first.spacing, rtol=1e-3)


def _require_parallel(planes: Sequence[Plane]) -> None:
    first = planes[0]
    for plane in planes[1:]:
        if _turned(first, plane) > _SAME_DIRECTION:
            raise GeometryError(
                "The slices of the series point in different directions (localizer, radial or moving "
                "acquisition).",
                "Choose another series.",
            )
        if not _have_one_size(first, plane):
            raise GeometryError(
                "The slices of the series have different sizes.", "Separate them into one folder each."
            )


def _require_distinct(depth: NDArray[np.float64]) -> None:
    gaps = np.diff(depth)
    if gaps.min() <= _SAME_PLACE * float(np.median(gaps)):
        raise VolumeInvalidError(
            "The series holds several images of the same place (time points, phases or echoes).",
            "Save the one to be segmented as its own series.",
        )


def _require_aligned(positions: NDArray[np.float64], expected: NDArray[np.float64], first: Plane) -> None:
    sideways = float(np.linalg.norm(positions - expected, axis=1).max())
    if sideways > 0.5 * min(first.spacing):
        raise GeometryError(
            f"The slices are shifted sideways against each other, irregularly by up to {sideways:.1f} mm.",
            "They make no regular grid: choose another series.",
        )


def _grid_along(depth: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, tuple[str, ...]]:
    """Return the position of each plane in voxels of the grid, the spacing of the grid, and warnings."""
    gaps = np.diff(depth)
    count = len(depth)
    mean = float(depth[-1]) / (count - 1)
    at = depth / mean
    if np.abs(at - np.arange(count)).max() <= _ON_GRID:
        return np.arange(count, dtype=np.float64), mean, ()
    steps = np.maximum(np.rint(gaps / gaps.min()), 1)
    distance = float(depth[-1] / steps.sum())
    regular = np.concatenate(([0.0], np.cumsum(steps)))
    if np.abs(depth / distance - regular).max() <= 2 * _ON_GRID:
        missing = int(steps.sum()) + 1 - count
        text = f"Slices are missing or unevenly spaced: {missing} were filled in from their neighbours."
        at = regular
    else:
        distance = float(depth[-1] / np.ceil(depth[-1] / float(np.median(gaps))))
        text = (
            f"The slices are unevenly spaced ({gaps.min():.2f} to {gaps.max():.2f} mm): "
            f"the image was resampled to {distance:.2f} mm."
        )
        at = depth / distance
    if at[-1] + 1 > _MOST_FILLING * count:
        raise GeometryError(
            f"Slices are missing: there is a gap of {gaps.max():.0f} mm, too wide to fill in.",
            "Give the whole series, or separate its parts into one folder each.",
        )
    return at, distance, (text,)


def _between(at: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Locate each integer up to the last position between the sorted positions ``at``."""
    grid = np.arange(round(float(at[-1])) + 1, dtype=np.float64)
    place = np.interp(grid, at, np.arange(len(at), dtype=np.float64))
    lower = np.floor(place + 1e-9).astype(np.intp)
    return lower, np.clip(place - lower, 0.0, 1.0)
