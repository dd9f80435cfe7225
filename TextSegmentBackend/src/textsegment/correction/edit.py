"""Edits: voxels of which a person has said whether they belong to a structure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textsegment.correction.drawn import DrawnSlice, changes
from textsegment.errors import EditError
from textsegment.geometry import Box, Geometry

POINT_RADIUS_MM = 3.0
"""Radius of the ball around a point or a stroke."""


@dataclass(frozen=True, eq=False)
class Edit:
    """Voxels of which a person has said whether they belong to a structure.

    Attributes:
        box: Position of the arrays on the grid of the volume; not empty.
        known: Boolean array ``[i, j, k]`` with the shape of ``box``: voxels of which it is known.
        inside: Boolean array of the same shape: those known voxels that belong to the structure.

    Raises:
        EditError: The arrays do not fit the box, or a voxel is inside without being known.

    Example:
        A person has drawn one slice of a structure, so all of that slice is known:

        >>> before = np.zeros((6, 5, 4), dtype=bool)
        >>> after = before.copy()
        >>> after[1:4, 1:4, 2] = True
        >>> (edit,) = Edit.between(before, after)
        >>> edit.box, int(edit.known.sum()), int(edit.inside.sum())
        (Box(start=(0, 0, 2), stop=(6, 5, 3)), 30, 9)
    """

    box: Box
    known: NDArray[np.bool_]
    inside: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for array in (self.known, self.inside):
            if array.dtype != np.bool_ or array.shape != self.box.shape:
                raise EditError("An edit has two boolean arrays with the shape of its box.")
        if 0 in self.box.shape:
            raise EditError("An edit has an empty box.", "Leave it out.")
        if (self.inside & ~self.known).any():
            raise EditError("An edit has voxels inside the structure that are not known.")

    @classmethod
    def between(
        cls,
        before: NDArray[np.bool_],
        after: NDArray[np.bool_],
        *,
        axis: int | None = None,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> tuple[Edit, ...]:
        """Return the edits that turn one mask into another.

        A slice in which the masks differ has been looked at, so all of it is known, background included. Of a
        change that is about as thick as it is wide (a ball brush, scissors), only the changed voxels are.

        Args:
            before: Mask on the whole grid, as a boolean array ``[i, j, k]``.
            after: The same mask after a person has edited it.
            axis: Voxel axis across which the slices were drawn; None to find it, or several, out.
            spacing: Voxel size along (i, j, k), in millimetres.

        Raises:
            EditError: The masks are on different grids, or there is no such axis.
        """
        if before.shape != after.shape or before.ndim != 3:
            raise EditError("The mask and its edited version have different grids.")
        _require_axis(axis)
        before, after = before.astype(bool), after.astype(bool)
        found = []
        for change in changes(before ^ after, axis, spacing):
            if isinstance(change, DrawnSlice):
                found.append(cls.slice_of(after, change.axis, change.index))
            else:
                known = change.voxels
                found.append(cls(change.box, known, after[change.box.slices] & known))
        return tuple(found)

    @classmethod
    def slice_of(cls, mask: NDArray[np.bool_], axis: int, index: int) -> Edit:
        """Return one whole slice of a mask ``[i, j, k]`` on the whole grid as an edit.

        Args:
            mask: What the person has drawn.
            axis: Voxel axis across which the slice lies.
            index: Index of the slice along that axis.

        Raises:
            EditError: The slice lies outside the grid, or there is no such axis.
        """
        _require_axis(axis)
        if mask.ndim != 3:
            raise EditError("A mask has three dimensions.")
        if not 0 <= index < mask.shape[axis]:
            raise EditError("A drawn slice lies outside the image.")
        start, stop = [0, 0, 0], list(mask.shape)
        start[axis], stop[axis] = index, index + 1
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        inside = np.array(mask[box.slices], dtype=bool)
        return cls(box, np.ones_like(inside), inside)

    @classmethod
    def stroke(
        cls,
        points_ras: ArrayLike,
        geometry: Geometry,
        *,
        belongs: bool,
        radius_mm: float = POINT_RADIUS_MM,
    ) -> Edit:
        """Return a click or a brush stroke as an edit: the voxels within a radius of its points.

        Args:
            points_ras: Points of shape (n, 3) or (3,), in RAS millimetres.
            geometry: Grid of the volume.
            belongs: Whether the voxels belong to the structure.
            radius_mm: Radius of the brush; at least the voxels that contain the points are taken.

        Raises:
            EditError: There is no point, one lies outside the image, or the radius is not a length.
        """
        if not isfinite(radius_mm) or radius_mm < 0:
            raise EditError("The radius of a stroke is a length in millimetres.")
        points = np.atleast_2d(np.asarray(points_ras, dtype=np.float64))
        if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
            raise EditError("A stroke consists of points in three dimensions.")
        centres = geometry.to_index(points)
        nearest = np.rint(centres).astype(int)
        if (nearest < 0).any() or (nearest >= geometry.spatial_shape).any():
            raise EditError("A point lies outside the image.", "Place it on the image.")
        reach = [ceil(radius_mm / size) + 1 for size in _thinnest(geometry)]
        low = np.maximum(nearest.min(axis=0) - reach, 0)
        high = np.minimum(nearest.max(axis=0) + reach + 1, geometry.spatial_shape)
        known = np.zeros(high - low, dtype=bool)
        for centre, own in zip(centres, nearest, strict=True):
            part = [
                (max(n - r, a), min(n + r + 1, b)) for n, r, a, b in zip(own, reach, low, high, strict=True)
            ]
            index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in part), indexing="ij"), axis=-1)
            offset_mm = (index - centre) @ geometry.affine[:3, :3].T
            here = tuple(slice(a - n, b - n) for (a, b), n in zip(part, low, strict=True))
            known[here] |= (offset_mm**2).sum(axis=-1) <= radius_mm**2
            known[tuple(own - low)] = True
        i, j, k = (int(n) for n in low)
        p, q, r = (int(n) for n in high)
        return cls(Box((i, j, k), (p, q, r)), known, known.copy() if belongs else np.zeros_like(known))

    @classmethod
    def block(cls, box: Box, *, belongs: bool) -> Edit:
        """Return a box whose voxels all belong to the structure, or none of them, as an edit."""
        known = np.ones(box.shape, dtype=bool)
        return cls(box, known, np.full_like(known, belongs))


def merged(edits: Iterable[Edit], box: Box) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    """Merge edits in a box of the grid; where they contradict each other, the last one counts.

    Returns:
        The known voxels and those of them that are inside, with the shape of ``box``, and the number of
        voxels about which two edits disagree.
    """
    known, inside = np.zeros(box.shape, dtype=bool), np.zeros(box.shape, dtype=bool)
    disputed = np.zeros(box.shape, dtype=bool)
    for edit in edits:
        part = edit.box.intersection(box)
        if 0 in part.shape:
            continue
        here = _shifted(part, box.start)
        there = _shifted(part, edit.box.start)
        new, value = edit.known[there], edit.inside[there]
        disputed[here] |= new & known[here] & (value != inside[here])
        inside[here] = np.where(new, value, inside[here])
        known[here] |= new
    return known, inside, int(np.count_nonzero(disputed))


def _require_axis(axis: int | None) -> None:
    if axis not in (None, 0, 1, 2):
        raise EditError("The voxel axes are 0, 1 and 2.")


def _shifted(box: Box, origin: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for a, b, o in zip(box.start, box.stop, origin, strict=True))


def _thinnest(geometry: Geometry) -> NDArray[np.float64]:
    """Return how far apart the planes of the grid lie along each axis: less than the spacing if sheared."""
    return np.asarray(1 / np.linalg.norm(np.linalg.inv(geometry.affine[:3, :3]), axis=1))
