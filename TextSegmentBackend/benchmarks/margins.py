"""Accuracy of margins: balls and cylinders whose expansion is known exactly, on many grids.

    python benchmarks/margins.py

Each line is one grid. It gives the volume of the expanded mask divided by that of the expanded body sampled
on the same grid, and the Dice coefficient of the two, each as the range over all bodies, margins and
placements. ``centres`` is the usual rule, for comparison: a voxel is included if its center lies within the
margin of the center of a voxel of the structure.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from textsegment.derive.margin import Margin, expand, reach_of
from textsegment.geometry import Geometry

GRIDS = {
    "1 × 1 × 1": ((1, 1, 1), 0.0),
    "1 × 1 × 3": ((1, 1, 3), 0.0),
    "1 × 1 × 5": ((1, 1, 5), 0.0),
    "1 × 1 × 3, turned by 25°": ((1, 1, 3), 25.0),
}
MARGINS_MM = (3, 5, 10)
RADII_MM = (8, 20)
PLACEMENTS = 3


def geometry_around(spacing: tuple[float, ...], degrees: float, extent_mm: float, shift: NDArray) -> Geometry:
    """Return a grid around the origin, rotated about the first axis and shifted by fractions of a voxel."""
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    shape = np.ceil(extent_mm / np.array(spacing)).astype(int) + 2
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2 + shift)
    return Geometry(tuple(int(n) for n in shape), affine)


def distances(body: str, radius: float, points: NDArray) -> NDArray:
    """Return the distance of points from a ball, or from an upright cylinder as high as wide; 0 inside."""
    if body == "ball":
        return np.maximum(np.linalg.norm(points, axis=-1) - radius, 0)
    across = np.maximum(np.hypot(points[..., 0], points[..., 1]) - radius, 0)
    along = np.maximum(np.abs(points[..., 2]) - radius, 0)
    return np.hypot(across, along)


def by_centres(millimetres: float, geometry: Geometry) -> NDArray[np.bool_]:
    """Return the margin's kernel under the usual rule."""
    most = [int(n) for n in np.ceil(millimetres / np.array(geometry.spacing))]
    offsets = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in most], indexing="ij"), axis=-1)
    return np.linalg.norm(offsets @ geometry.affine[:3, :3].T, axis=-1) <= millimetres + 1e-9


def main() -> None:
    """Print the table."""
    generator = np.random.default_rng(0)
    print(f"{'grid, mm':26}{'rule':10}{'volume':>16}{'Dice':>16}")
    for name, (spacing, degrees) in GRIDS.items():
        found: dict[str, list[tuple[float, float]]] = {"ours": [], "centres": []}
        for body, radius, margin in itertools.product(("ball", "cylinder"), RADII_MM, MARGINS_MM):
            for _ in range(PLACEMENTS):
                shift = generator.uniform(-0.5, 0.5, 3)
                geometry = geometry_around(spacing, degrees, 2.9 * (radius + margin + 6), shift)
                outside = distances(
                    body, radius, geometry.to_ras(np.moveaxis(np.indices(geometry.spatial_shape), 0, -1))
                )
                truth = outside <= margin
                rules = {
                    "ours": reach_of(Margin.uniform(margin), geometry).offsets,
                    "centres": by_centres(margin, geometry),
                }
                for rule, offsets in rules.items():
                    got = expand(outside == 0, offsets)
                    dice = 2 * (got & truth).sum() / (got.sum() + truth.sum())
                    found[rule].append((got.sum() / truth.sum(), dice))
        for rule, pairs in found.items():
            (low, lowest), (high, highest) = np.min(pairs, axis=0), np.max(pairs, axis=0)
            print(f"{name:26}{rule:10}{low:8.2f} – {high:.2f}{lowest:9.2f} – {highest:.2f}")


if __name__ == "__main__":
    main()
