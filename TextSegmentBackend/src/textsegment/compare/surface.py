"""Surfaces of masks in patient space, as elements with an area.

The surface of a mask runs half-way between voxels inside and outside it, as in marching cubes. Each cube of
2×2×2 voxel centres that contains both kinds has one surface element: the part of the surface within the cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from textsegment.geometry import Box, Geometry

Corner = tuple[int, ...]
_CORNERS: tuple[Corner, ...] = tuple(product((0, 1), repeat=3))
_WHOLLY_INSIDE = 2 ** len(_CORNERS) - 1


@dataclass(frozen=True, eq=False)
class Surface:
    """Surface elements of a mask.

    Attributes:
        codes: Pattern of corners inside the mask for the cube of each element, uint8 array of shape (N,).
        corners_ras: First corner of each cube in RAS millimetres, float64 array of shape (N, 3).
        patterns: Elements of all possible cubes of this grid.
    """

    codes: NDArray[np.uint8]
    corners_ras: NDArray[np.float64]
    patterns: Patterns

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def centroids_ras(self) -> NDArray[np.float64]:
        """Centroid of each element in RAS millimetres, float64 array of shape (N, 3)."""
        return self.corners_ras + self.patterns.centroids_mm[self.codes]

    @cached_property
    def areas_mm2(self) -> NDArray[np.float64]:
        """Area of each element in square millimetres, float64 array of shape (N,)."""
        return self.patterns.areas_mm2[self.codes]

    @property
    def area_mm2(self) -> float:
        """Area of the whole surface in square millimetres."""
        return float(self.areas_mm2.sum())


def surface_of(mask: NDArray[np.bool_], geometry: Geometry) -> Surface:
    """Return the closed surface of a mask; where the mask reaches the border of the grid, it ends there.

    Args:
        mask: Boolean array ``[i, j, k]`` on the grid.
        geometry: Grid of the mask; its affine may be oblique or sheared.

    Example:
        >>> cube = np.ones((10, 10, 10), dtype=bool)
        >>> surface = surface_of(cube, Geometry((10, 10, 10), np.eye(4)))
        >>> round(surface.area_mm2)  # 600 with sharp edges, which marching cubes bevels
        564
    """
    patterns = Patterns.of(geometry.affine[:3, :3].tobytes())
    box = Box.around(mask)
    if box is None:
        return Surface(np.zeros(0, dtype=np.uint8), np.zeros((0, 3)), patterns)
    padded = np.pad(mask[box.slices], 1)
    codes = np.zeros([n - 1 for n in padded.shape], dtype=np.uint8)
    for bit, corner in enumerate(_CORNERS):
        cut = tuple(slice(c, c + n) for c, n in zip(corner, codes.shape, strict=True))
        codes |= padded[cut].view(np.uint8) << np.uint8(bit)
    places = np.nonzero((codes > 0) & (codes < _WHOLLY_INSIDE))
    corners_ras = geometry.to_ras(np.stack(places, axis=1) - 1 + box.start)
    return Surface(codes[places], corners_ras, patterns)


@dataclass(frozen=True, eq=False)
class Patterns:
    """Surface elements of the 256 patterns of corners inside and outside a mask, for one shape of voxels.

    Positions are relative to the first corner of the cube, in millimetres.

    Attributes:
        areas_mm2: Area of each element, of shape (256,).
        centroids_mm: Centroid of each element, of shape (256, 3).
        counts: Number of triangles of each element, of shape (256,).
        starts: Number of the first triangle of each element, of shape (256,).
        triangles_mm: Corners of the triangles of all elements, of shape (T, 3, 3).
    """

    areas_mm2: NDArray[np.float64]
    centroids_mm: NDArray[np.float64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    triangles_mm: NDArray[np.float64]

    @staticmethod
    @cache
    def of(linear: bytes) -> Patterns:
        """Return the elements for a 3×3 float64 matrix from voxel steps to millimetres, given as bytes."""
        to_mm = np.frombuffer(linear, dtype=np.float64).reshape(3, 3)
        elements = [
            np.concatenate([np.zeros((0, 3, 3)), *(_fan(loop @ to_mm.T) for loop in _loops(code))])
            for code in range(256)
        ]
        areas, centroids = np.zeros(256), np.zeros((256, 3))
        for code, element in enumerate(elements):
            sides = element[:, 1:] - element[:, :1]
            shares = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
            areas[code] = shares.sum()
            centroids[code] = shares @ element.mean(axis=1) / max(areas[code], np.finfo(float).tiny)
        counts = np.array([len(element) for element in elements])
        return Patterns(areas, centroids, counts, np.cumsum(counts) - counts, np.concatenate(elements))


def _fan(loop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the triangles (N, 3, 3) from the middle of a polygon (N, 3) to its sides.

    A polygon that is not flat is spanned from its middle because this treats all corners alike.
    """
    if len(loop) == 3:
        return loop[np.newaxis]
    middle = np.broadcast_to(loop.mean(axis=0), loop.shape)
    return np.stack([middle, loop, np.roll(loop, -1, axis=0)], axis=1)


@cache
def _loops(code: int) -> tuple[NDArray[np.float64], ...]:
    """Return the closed polygons, as arrays (N, 3), that separate the corners inside from those outside."""
    inside = {corner: bool(code >> bit & 1) for bit, corner in enumerate(_CORNERS)}
    following = dict(line for ring in _face_rings() for line in _face_lines(ring, inside))
    loops = []
    while following:
        first, point = following.popitem()
        loop = [first]
        while point != first:
            loop.append(point)
            point = following.pop(point)
        loops.append(np.array(loop))
    return tuple(loops)


@cache
def _face_rings() -> tuple[tuple[Corner, ...], ...]:
    """Return the corners around each face of the cube, all faces in the same sense as seen from outside."""
    rings = []
    for axis, side in product(range(3), (0, 1)):
        ring = [tuple(np.roll((side, a, b), axis).tolist()) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
        rings.append(tuple(ring if side else ring[::-1]))
    return tuple(rings)


def _face_lines(
    ring: tuple[Corner, ...], inside: dict[Corner, bool]
) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return the lines across a face, each around one run of corners that are inside.

    Corners inside that touch only across the diagonal of the face are separated.
    """
    edges = list(pairwise((*ring, ring[0])))
    entries = [n for n, (a, b) in enumerate(edges) if not inside[a] and inside[b]]
    lines = []
    for entry in entries:
        leave = next(
            n % 4 for n in range(entry + 1, entry + 4) if inside[edges[n % 4][0]] > inside[edges[n % 4][1]]
        )
        lines.append((_middle(*edges[entry]), _middle(*edges[leave])))
    return lines


def _middle(a: Corner, b: Corner) -> tuple[float, ...]:
    return tuple((p + q) / 2 for p, q in zip(a, b, strict=True))
