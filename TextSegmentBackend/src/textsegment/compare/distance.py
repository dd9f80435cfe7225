"""Distances between surfaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from textsegment.compare.surface import Surface

# Number of nearby elements that are looked at exactly, and of pairs of points and elements at a time.
_NEARBY = 4
_AT_ONCE = 200_000
# Beyond this many times the size of an element, its centroid is as good as its nearest point.
_FAR = 4.0


def distances_to(origin: Surface, target: Surface) -> NDArray[np.float64]:
    """Return the distance in millimetres from the centroid of each element to another surface.

    The nearest elements are found by their centroids; the distance to their triangles is then exact. The
    surfaces may come from different grids. Distances are infinite if the target is empty.

    Args:
        origin: Surface to measure from.
        target: Surface to measure to.
    """
    if len(origin) == 0 or len(target) == 0:
        return np.full(len(origin), np.inf)
    points = origin.centroids_ras
    count = min(_NEARBY, len(target))
    tree = cKDTree(target.centroids_ras)
    nearest, _ = tree.query(points)
    far = _FAR * np.abs(target.patterns.triangles_mm).max()
    close = np.flatnonzero((nearest > 0) & (nearest < far))
    for chunk in np.array_split(close, len(close) * count // _AT_ONCE + 1):
        _, elements = tree.query(points[chunk], k=np.arange(1, count + 1))
        nearest[chunk] = np.minimum(nearest[chunk], _to_elements(points[chunk], elements, target))
    return np.asarray(nearest, dtype=np.float64)


def _to_elements(
    points: NDArray[np.float64], elements: NDArray[np.int64], target: Surface
) -> NDArray[np.float64]:
    """Return the distance of each point (N, 3) to the nearest triangle of its elements (N, K)."""
    patterns, numbers = target.patterns, elements.ravel()
    codes = target.codes[numbers]
    counts = patterns.counts[codes]
    pairs = np.repeat(np.arange(len(numbers)), counts)
    firsts = np.cumsum(counts) - counts
    within = np.arange(len(pairs)) - firsts[pairs]
    triangles = patterns.triangles_mm[patterns.starts[codes][pairs] + within]
    rows = pairs // elements.shape[1]
    offsets = points[rows] - target.corners_ras[numbers[pairs]]
    squares = _squared_distances(offsets[:, np.newaxis] - triangles, triangles)
    return np.sqrt(np.minimum.reduceat(squares, firsts.reshape(elements.shape)[:, 0]))


def _squared_distances(offsets: NDArray[np.float64], triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distances of points to triangles.

    Args:
        offsets: Positions of the point relative to each corner, of shape (N, 3, 3).
        triangles: Corners of the triangles, of shape (N, 3, 3).
    """
    sides = np.roll(triangles, -1, axis=1) - triangles
    lengths = np.einsum("nij,nij->ni", sides, sides)
    along = np.einsum("nij,nij->ni", offsets, sides) / np.maximum(lengths, np.finfo(float).tiny)
    beside = offsets - np.clip(along, 0, 1)[..., np.newaxis] * sides
    to_sides = np.einsum("nij,nij->ni", beside, beside).min(axis=1)
    normals = np.cross(sides[:, 0], sides[:, 1])
    heights = np.einsum("nij,nj->ni", np.cross(sides, offsets), normals)
    above = (heights >= 0).all(axis=1)
    norms = np.einsum("nj,nj->n", normals, normals)
    to_plane = np.einsum("nj,nj->n", offsets[:, 0], normals) ** 2 / np.maximum(norms, np.finfo(float).tiny)
    nearest: NDArray[np.float64] = np.where(above & (norms > 0), to_plane, to_sides)
    return nearest
