"""Margins in millimetres around masks, on any voxel grid.

On a grid, the surface of a mask is taken to lie half a voxel beyond its outermost voxel centres. Along a grid
axis, a margin is therefore rounded to the nearest whole number of voxels: 3 mm on 5 mm slices is one slice, 2
mm is none. ``Reach.mm`` gives the resulting size.

Between the axes, a margin is an ellipsoid whose half axes are the margins plus a quarter of a voxel, which on
average makes balls and cylinders neither too large nor too small. Where the patient axes are not those of the
grid, unequal margins are sampled point by point. Everything is determined once, as the set of voxel offsets
that a voxel reaches, which is the same everywhere on a grid.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from itertools import product

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import LimitExceededError, PromptError
from textsegment.geometry import Geometry

LARGEST_MARGIN_MM = 100.0
# Grid directions whose other components are smaller than this count as patient axes.
_ALIGNED = 1e-3
# Smaller margins count as none.
_NOTHING_MM = 1e-6
# Tolerance that makes a voxel just touched by the margin count as reached despite rounding errors.
_TOUCHING = 1e-6
# Sampling points per voxel length for unequal margins on an oblique grid.
_SAMPLES = 4


@dataclass(frozen=True)
class Margin:
    """Margin in millimetres for each direction of the patient; positive expands, negative contracts.

    Raises:
        PromptError: Some directions expand while others contract.
        LimitExceededError: A direction exceeds 100 mm.
    """

    left: float
    right: float
    anterior: float
    posterior: float
    superior: float
    inferior: float

    def __post_init__(self) -> None:
        sizes = self.sizes
        if min(sizes) < 0 < max(sizes):
            raise PromptError("A margin expands or contracts, not both.", "Use two steps, one for each.")
        if not max(map(abs, sizes)) <= LARGEST_MARGIN_MM:
            raise LimitExceededError(f"A margin is larger than {LARGEST_MARGIN_MM:g} mm.")

    @classmethod
    def uniform(cls, millimetres: float) -> Margin:
        """Return a margin that is equal in all directions."""
        return cls(*[millimetres] * 6)

    @property
    def sizes(self) -> tuple[float, ...]:
        """Millimetres towards the left, right, anterior, posterior, superior and inferior."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @property
    def contracts(self) -> bool:
        """Whether the margin contracts."""
        return min(self.sizes) < 0

    def __str__(self) -> str:
        if len(set(self.sizes)) == 1:
            return f"{self.left:g} mm"
        return (
            " ".join(f"{letter} {size:g}" for letter, size in zip("LRAPSI", self.sizes, strict=True)) + " mm"
        )


@dataclass(frozen=True, eq=False)
class Reach:
    """Voxels that a margin reaches from one voxel of a grid.

    Attributes:
        offsets: Boolean array ``[i, j, k]`` of odd shape; true for the voxels reached from the central one.
        asked_mm: Requested margin in millimetres along i, j, k, each as (towards lower, towards higher)
            indices.
        mm: Margin actually achieved on the grid, in the same order.
    """

    offsets: NDArray[np.bool_]
    asked_mm: tuple[tuple[float, float], ...]
    mm: tuple[tuple[float, float], ...]


def reach_of(margin: Margin, geometry: Geometry) -> Reach:
    """Return the voxels that a margin reaches on a grid; for a contraction, those it would reach outwards."""
    sizes = np.abs(margin.sizes).reshape(3, 2)
    sizes[sizes < _NOTHING_MM] = 0
    # Right, anterior and superior are the positive directions in RAS.
    low_high = np.stack([sizes[0], sizes[1, ::-1], sizes[2, ::-1]])
    direction = geometry.direction
    if len(set(margin.sizes)) == 1:
        offsets = _uniform(float(sizes[0, 0]), geometry.affine[:3, :3])
    elif (np.sort(np.abs(direction), axis=0)[:2] < _ALIGNED).all():
        offsets = _along_axes(low_high, geometry.affine[:3, :3])
    else:
        offsets = _sampled(low_high, geometry.affine[:3, :3])
    asked = tuple((_along(low_high, -direction[:, a]), _along(low_high, direction[:, a])) for a in range(3))
    return Reach(offsets, asked, _reached(offsets, geometry.spacing))


def _half_axes(sizes: NDArray[np.float64], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(sizes + spacing / 4, np.floor(sizes / spacing + 0.5 + _TOUCHING) * spacing)


def _uniform(millimetres: float, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return an ellipsoid along the principal axes of the voxels."""
    squares, axes = np.linalg.eigh(matrix @ matrix.T)
    half_axes = _half_axes(np.full(3, millimetres), np.sqrt(squares))
    to_ball = axes @ np.diag(1 / half_axes) @ axes.T @ matrix
    offsets = _lattice(np.linalg.norm(np.linalg.inv(to_ball), axis=1))
    squared = (offsets @ to_ball.T) ** 2
    return np.asarray(squared.sum(axis=-1) <= 1 + _TOUCHING)


def _along_axes(low_high: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ellipsoid octants along the axes that patient and grid share."""
    spacing = np.abs(matrix).max(axis=1)
    half_axes = _half_axes(low_high, spacing[:, None])
    most = (half_axes.max(axis=1) / spacing)[np.abs(matrix).argmax(axis=0)]
    offsets_mm = _lattice(most) @ matrix.T
    scaled = np.where(offsets_mm < 0, offsets_mm / half_axes[:, 0], offsets_mm / half_axes[:, 1])
    return np.asarray((scaled**2).sum(axis=-1) <= 1 + _TOUCHING)


def _sampled(low_high: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return voxels with a margin point near their centre or, on a patient axis, anywhere inside them.

    All margins use the same points, so that a larger margin never reaches fewer voxels.
    """
    step = float(np.linalg.norm(matrix, axis=0).min()) / _SAMPLES
    ticks = [
        np.arange(-np.floor(low / step + _TOUCHING), np.floor(high / step + _TOUCHING) + 1) * step
        for low, high in low_high
    ]
    to_index = np.linalg.inv(matrix)
    most = np.abs(to_index) @ low_high.max(axis=1) + 1
    reached = np.zeros(2 * np.floor(most).astype(int) + 1, dtype=bool)
    centre = np.array(reached.shape) // 2
    y, z = (grid.ravel() for grid in np.meshgrid(ticks[1], ticks[2], indexing="ij"))
    for x in ticks[0]:
        points = np.stack([np.full_like(y, x), y, z], axis=-1)
        points = points[_gauge(low_high, points) <= 1 + _TOUCHING]
        index = points @ to_index.T
        nearest = np.rint(index)
        near = ((index - nearest) ** 2).sum(axis=-1) <= 1 / 16
        near |= np.count_nonzero(points, axis=-1) <= 1
        reached[tuple((nearest[near].astype(int) + centre).T)] = True
    return _without_holes(reached)


def _without_holes(offsets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill every line along each axis from its first to its last true voxel."""
    for axis in range(3):
        forth = np.logical_or.accumulate(offsets, axis=axis)
        back = np.flip(np.logical_or.accumulate(np.flip(offsets, axis), axis=axis), axis)
        offsets = forth & back
    return offsets


def _lattice(most: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all offsets ``[i, j, k, 3]`` up to the given number of voxels on either side."""
    ranges = [np.arange(-n, n + 1) for n in np.floor(most + _TOUCHING).astype(int)]
    return np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).astype(np.float64)


def _gauge(low_high: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distance of points from the origin, scaled to 1 on the surface of the margin."""
    sizes = np.where(points < 0, low_high[:, 0], low_high[:, 1])
    scaled = np.divide(points, sizes, out=np.where(points == 0, 0.0, np.inf), where=sizes > 0)
    return np.asarray((scaled**2).sum(axis=-1))


def _along(low_high: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Return the length of the margin in a direction."""
    small = np.where(np.abs(direction) < _ALIGNED, 0.0, direction)
    length = float(np.sqrt(_gauge(low_high, small)))
    return 0.0 if length == 0 or np.isinf(length) else 1 / length


def _reached(
    offsets: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> tuple[tuple[float, float], ...]:
    centre = tuple(n // 2 for n in offsets.shape)
    found = []
    for axis in range(3):
        line = offsets[tuple(slice(None) if a == axis else c for a, c in enumerate(centre))]
        low, high = line[: centre[axis]], line[centre[axis] + 1 :]
        found.append((float(low.sum()) * spacing[axis], float(high.sum()) * spacing[axis]))
    return tuple(found)


def expand(region: NDArray[np.bool_], offsets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return all voxels reached from a region, clipped to the array.

    Args:
        region: Boolean array ``[i, j, k]``.
        offsets: Offsets of a ``Reach``.
    """
    axis = int(np.argmax(offsets.shape))
    source, kernel = np.ascontiguousarray(np.moveaxis(region, axis, 2)), np.moveaxis(offsets, axis, 2)
    length, wide = source.shape[2], kernel.shape[2]
    # Number of true voxels before each position on a line, also defined beyond its ends.
    before = np.zeros((*source.shape[:2], length + 2 * wide + 1), dtype=np.int32)
    np.cumsum(source, axis=2, out=before[..., wide + 1 : wide + 1 + length])
    before[..., wide + 1 + length :] = before[..., wide + length, None]
    result = np.zeros_like(source)
    for (first, last), places in _runs(kernel).items():
        start, stop = wide - last, wide - first + 1
        spread = before[..., stop : stop + length] > before[..., start : start + length]
        for place in places:
            to, come = zip(*(_shifted(d, n) for d, n in zip(place, source.shape, strict=False)), strict=True)
            result[to] |= spread[come]
    return np.moveaxis(result, 2, axis)


def _runs(kernel: NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Map each run of offsets along the last axis to the offsets along the other axes that contain it."""
    centre = [n // 2 for n in kernel.shape]
    runs: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for a, b in product(range(kernel.shape[0]), range(kernel.shape[1])):
        hits = np.flatnonzero(kernel[a, b])
        if hits.size:
            run = (int(hits[0]) - centre[2], int(hits[-1]) - centre[2])
            runs[run].append((a - centre[0], b - centre[1]))
    return runs


def _shifted(offset: int, length: int) -> tuple[slice, slice]:
    """Return the destination and source slices that shift an axis by an offset."""
    size = max(length - abs(offset), 0)
    to, come = max(offset, 0), max(-offset, 0)
    return slice(to, to + size), slice(come, come + size)
