"""Finds out which slices a person has drawn, from the voxels that have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsegment.geometry import Box

# A slice with this many times the changes of its neighbours was drawn by itself.
_STANDS_OUT = 4
# A change of so many slices or more that is this thick, compared with its width, is a solid.
_SOLID_SLICES = 3
_SOLID_SHARE = 0.5


@dataclass(frozen=True)
class DrawnSlice:
    """A slice that a person has drawn: the voxels with this index along a voxel axis."""

    axis: int
    index: int


@dataclass(frozen=True, eq=False)
class Solid:
    """A change that is about as thick as it is wide.

    Attributes:
        box: Position of the changed voxels on the grid.
        voxels: Changed voxels, as a boolean array with the shape of ``box``.
    """

    box: Box
    voxels: NDArray[np.bool_]


def changes(
    changed: NDArray[np.bool_], axis: int | None, spacing: tuple[float, float, float]
) -> Iterator[DrawnSlice | Solid]:
    """Yield the slices and solids that explain all changed voxels ``[i, j, k]``.

    Args:
        changed: Voxels that have changed, on the whole grid.
        axis: Voxel axis across which all slices were drawn; None to find out.
        spacing: Voxel size along (i, j, k), in millimetres.
    """
    box = Box.around(changed)
    if box is None:
        return
    if axis is not None:
        others = tuple(a for a in range(3) if a != axis)
        yield from (DrawnSlice(axis, int(n)) for n in np.flatnonzero(changed.any(axis=others)))
        return
    rest = changed[box.slices].copy()
    while (single := _standing_out(rest, spacing)) is not None:
        yield DrawnSlice(single.axis, single.index + box.start[single.axis])
        rest[_at(single.axis, slice(single.index, single.index + 1))] = False
    yield from _runs(rest, box, spacing)


def _standing_out(rest: NDArray[np.bool_], spacing: tuple[float, float, float]) -> DrawnSlice | None:
    """Return the largest slice with far more changes than its neighbours; of equals, the thickest."""
    best: tuple[int, float, int, DrawnSlice] | None = None
    for axis in range(3):
        counts = np.pad(_counts(rest, axis), 1)
        near = np.maximum(counts[:-2], counts[2:])
        for index in np.flatnonzero((counts[1:-1] > 0) & (counts[1:-1] >= _STANDS_OUT * near)):
            rank = (int(counts[index + 1]), spacing[axis], axis, DrawnSlice(axis, int(index)))
            if best is None or rank[:3] > best[:3]:
                best = rank
    return None if best is None else best[3]


def _runs(
    rest: NDArray[np.bool_], box: Box, spacing: tuple[float, float, float]
) -> Iterator[DrawnSlice | Solid]:
    """Yield runs of neighbouring slices, across the axis with the fewest, as slices or as solids."""
    if not rest.any():
        return
    axis = min(range(3), key=lambda a: (np.count_nonzero(_counts(rest, a)), -spacing[a], -a))
    numbers = np.flatnonzero(_counts(rest, axis))
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
        part = rest[_at(axis, slice(int(run[0]), int(run[-1]) + 1))]
        inner = Box.around(part)
        assert inner is not None
        widths = [n * s for a, (n, s) in enumerate(zip(inner.shape, spacing, strict=True)) if a != axis]
        if len(run) >= _SOLID_SLICES and len(run) * spacing[axis] >= _SOLID_SHARE * min(widths):
            offset = [b + (int(run[0]) if a == axis else 0) for a, b in enumerate(box.start)]
            i, j, k = (a + o for a, o in zip(inner.start, offset, strict=True))
            p, q, r = (a + o for a, o in zip(inner.stop, offset, strict=True))
            yield Solid(Box((i, j, k), (p, q, r)), part[inner.slices].copy())
        else:
            yield from (DrawnSlice(axis, int(n) + box.start[axis]) for n in run)


def _counts(voxels: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    others = tuple(a for a in range(3) if a != axis)
    return np.asarray(np.count_nonzero(voxels, axis=others), dtype=np.int64)


def _at(axis: int, where: slice) -> tuple[slice, ...]:
    return tuple(where if a == axis else slice(None) for a in range(3))
