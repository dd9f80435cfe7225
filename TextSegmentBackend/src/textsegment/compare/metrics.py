"""Measures of agreement between two masks. ``docs/metrics.md`` states every definition.

All distances are measured between surfaces in patient space, in millimetres, so that voxels of any shape and
oblique or sheared grids count correctly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsegment.compare.distance import distances_to
from textsegment.compare.surface import Surface, surface_of
from textsegment.errors import GeometryError, SettingsError
from textsegment.geometry import Box, Geometry, closest_axes

DEFAULT_TOLERANCE_MM = 1.0
# Distances on a grid are sums of rounded products: a surface at exactly the tolerance is within it.
_ROUNDING_MM = 1e-6


@dataclass(frozen=True)
class Measures:
    """Agreement of a result with a reference.

    If both masks are empty, Dice and surface Dice are 1; if one of them is, they are 0. Distances are NaN
    unless both masks contain something.

    Attributes:
        dice: Dice coefficient of the voxels, from 0 to 1.
        surface_dice: Share of both surfaces that lies within the tolerance of the other, from 0 to 1; also
            known as normalised surface distance (NSD).
        tolerance_mm: Tolerance of the surface Dice in millimetres.
        hd95_mm: Larger of the two directed 95th percentiles of the distance, in millimetres.
        hausdorff_mm: Largest distance from either surface to the other, in millimetres.
        mean_surface_distance_mm: Mean over both surfaces of the distance to the other, in millimetres.
        added_path_length_mm: Length of the contours of the reference that the result lacks, in millimetres.
        result_ml: Volume of the result in millilitres.
        reference_ml: Volume of the reference in millilitres.
    """

    dice: float
    surface_dice: float
    tolerance_mm: float
    hd95_mm: float
    hausdorff_mm: float
    mean_surface_distance_mm: float
    added_path_length_mm: float
    result_ml: float
    reference_ml: float


def measure(
    result: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    geometry: Geometry,
    *,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> Measures:
    """Measure the agreement of two masks on one grid.

    Args:
        result: Boolean array ``[i, j, k]``.
        reference: Boolean array ``[i, j, k]`` of the same shape.
        geometry: Grid of both.
        tolerance_mm: Distance between surfaces that counts as agreement, in millimetres.

    Raises:
        GeometryError: The masks do not have the shape of the grid.
        SettingsError: The tolerance is negative or not a number.

    Example:
        >>> reference = np.zeros((20, 20, 20), dtype=bool)
        >>> reference[5:15, 5:15, 5:15] = True
        >>> shifted = np.roll(reference, 2, axis=0)
        >>> found = measure(shifted, reference, Geometry((20, 20, 20), np.eye(4)))
        >>> found.dice, found.hausdorff_mm
        (0.8, 2.0)
    """
    if not result.shape == reference.shape == geometry.spatial_shape:
        raise GeometryError("Masks can be compared only on one grid.")
    require_tolerance(tolerance_mm)
    box = Box.around(result | reference)
    if box is not None:  # nothing outside of it has a part in any measure
        result, reference, geometry = result[box.slices], reference[box.slices], geometry.cropped(box)
    distances = surface_distances(surface_of(result, geometry), surface_of(reference, geometry))
    return Measures(
        dice=dice(result, reference),
        surface_dice=distances.share_within(tolerance_mm),
        tolerance_mm=tolerance_mm,
        hd95_mm=distances.percentile(95),
        hausdorff_mm=distances.percentile(100),
        mean_surface_distance_mm=distances.mean,
        added_path_length_mm=added_path_length(result, reference, geometry),
        result_ml=float(np.count_nonzero(result)) * geometry.voxel_volume_ml,
        reference_ml=float(np.count_nonzero(reference)) * geometry.voxel_volume_ml,
    )


def require_tolerance(tolerance_mm: float) -> None:
    """Check a tolerance.

    Raises:
        SettingsError: The tolerance is negative or not a number.
    """
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise SettingsError("A tolerance is a number of millimetres, not negative.", "For example 1.")


def dice(result: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient 2·|A∩B| / (|A|+|B|) of two boolean arrays; 1 if both are empty.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = np.count_nonzero(result) + np.count_nonzero(reference)
    return 1.0 if total == 0 else float(2 * np.count_nonzero(result & reference) / total)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances of the elements of two surfaces from the other surface.

    Attributes:
        forth_mm: Distance of each element of the result from the reference, in millimetres.
        back_mm: Distance of each element of the reference from the result, in millimetres.
        forth_mm2: Areas of the elements of the result, in square millimetres.
        back_mm2: Areas of the elements of the reference, in square millimetres.
    """

    forth_mm: NDArray[np.float64]
    back_mm: NDArray[np.float64]
    forth_mm2: NDArray[np.float64]
    back_mm2: NDArray[np.float64]

    @property
    def is_defined(self) -> bool:
        """Whether both surfaces exist."""
        return len(self.forth_mm) > 0 and len(self.back_mm) > 0

    @property
    def mean(self) -> float:
        """Mean distance over the area of both surfaces, in millimetres; NaN if a surface is missing."""
        if not self.is_defined:
            return math.nan
        total = self.forth_mm @ self.forth_mm2 + self.back_mm @ self.back_mm2
        return float(total / (self.forth_mm2.sum() + self.back_mm2.sum()))

    def percentile(self, percent: float) -> float:
        """Return the larger of the two directed percentiles, in millimetres; NaN if a surface is missing.

        A directed percentile is the smallest distance within which at least this percentage of the area of
        one surface lies from the other surface.
        """
        if not self.is_defined:
            return math.nan
        pairs = ((self.forth_mm, self.forth_mm2), (self.back_mm, self.back_mm2))
        return max(_percentile(distances, areas, percent) for distances, areas in pairs)

    def share_within(self, tolerance_mm: float) -> float:
        """Return the share of the area of both surfaces within a distance of the other, from 0 to 1."""
        if not self.is_defined:
            return float(len(self.forth_mm) == len(self.back_mm))
        limit = tolerance_mm + _ROUNDING_MM
        within = self.forth_mm2[self.forth_mm <= limit].sum() + self.back_mm2[self.back_mm <= limit].sum()
        return float(within / (self.forth_mm2.sum() + self.back_mm2.sum()))


def surface_distances(result: Surface, reference: Surface) -> SurfaceDistances:
    """Return the distance of each surface element from the nearest element of the other surface.

    The surfaces may come from different grids. Distances are infinite if the other surface is missing.
    """
    return SurfaceDistances(
        distances_to(result, reference),
        distances_to(reference, result),
        result.areas_mm2,
        reference.areas_mm2,
    )


def added_path_length(result: NDArray[np.bool_], reference: NDArray[np.bool_], geometry: Geometry) -> float:
    """Return the length of the contours of the reference that are not contours of the result, in millimetres.

    Contours are taken in the slices that are closest to axial: the pixels of a mask with one of their four
    neighbours outside it. Each counts for the square root of its area (Vaassen et al., 2020).

    Args:
        result: Boolean array ``[i, j, k]``.
        reference: Boolean array ``[i, j, k]`` of the same shape.
        geometry: Grid of both.
    """
    across = closest_axes(geometry.affine).index(2)
    added = _contour_pixels(reference, across) & ~_contour_pixels(result, across)
    in_plane = [size for axis, size in enumerate(geometry.spacing) if axis != across]
    return float(np.count_nonzero(added) * math.sqrt(in_plane[0] * in_plane[1]))


def _contour_pixels(mask: NDArray[np.bool_], across: int) -> NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in (axis for axis in range(3) if axis != across):
        for step in (0, 2):
            cut = [slice(1, -1)] * 3
            cut[axis] = slice(step, step + mask.shape[axis])
            inner &= padded[tuple(cut)]
    return mask & ~inner


def _percentile(distances: NDArray[np.float64], areas: NDArray[np.float64], percent: float) -> float:
    order = np.argsort(distances)
    shares = np.cumsum(areas[order]) / areas.sum()
    # Rounding must not turn the last share, 1, into something below it.
    at = np.searchsorted(shares, min(percent / 100, shares[-1]) - 1e-12)
    return float(distances[order][at])
