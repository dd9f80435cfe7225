"""Voxel grids in patient space.

One convention applies everywhere: arrays are indexed ``[i, j, k]``, and the affine is a 4×4 float64 matrix
that maps the homogeneous indices (i, j, k, 1) of voxel *centres* to RAS millimetres: x grows towards the
patient's right, y towards the front and z towards the head (as in NIfTI-1). LPS is used in ``files/`` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textsegment.errors import GeometryError

_AXIS_CODES = ("LR", "PA", "IS")
# Cosine between two grid axes above which a grid counts as sheared (0.06 degrees off perpendicular).
_SHEAR_COSINE = 1e-3
_SAME_GRID_MM = 1e-3
# Numbers in an affine beyond these (millimetres) are not lengths: their squares would overflow or vanish.
_LONGEST_MM = 1e9
_SHORTEST_MM = 1e-9


@dataclass(frozen=True)
class Box:
    """A half-open box of voxel indices: ``start <= index < stop`` on each axis (i, j, k)."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis (i, j, k); zero on axes where the box is empty."""
        i, j, k = (max(b - a, 0) for a, b in zip(self.start, self.stop, strict=True))
        return (i, j, k)

    def cut_to(self, spatial_shape: tuple[int, int, int]) -> Box:
        """Return the part of this box inside a grid of the given shape; its shape has a zero if it is empty.

        >>> Box((-2, 0, 5), (3, 9, 7)).cut_to((8, 8, 6))
        Box(start=(0, 0, 5), stop=(3, 8, 6))
        """
        return self.intersection(Box((0, 0, 0), spatial_shape))

    def intersection(self, other: Box) -> Box:
        """Return the intersection of two boxes; its shape has a zero if it is empty."""
        i, j, k = (max(a, b) for a, b in zip(self.start, other.start, strict=True))
        p, q, r = (min(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        return Box((i, j, k), (max(p, i), max(q, j), max(r, k)))

    def reaches(self, whole: Box) -> bool:
        """Whether this non-empty box touches the border of a box that contains it."""
        return any(a == b for a, b in zip(self.start, whole.start, strict=True)) or any(
            a == b for a, b in zip(self.stop, whole.stop, strict=True)
        )

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Slices that cut this box out of an array ``[i, j, k]``."""
        i, j, k = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return (i, j, k)

    @classmethod
    def around(cls, mask: NDArray[np.bool_]) -> Box | None:
        """Return the smallest box that contains all true voxels of a mask ``[i, j, k]``, or None if empty."""
        start: list[int] = []
        stop: list[int] = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            hits = np.flatnonzero(mask.any(axis=others))
            if hits.size == 0:
                return None
            start.append(int(hits[0]))
            stop.append(int(hits[-1]) + 1)
        return cls((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid: its size, and its position and orientation in the patient.

    Attributes:
        spatial_shape: Number of voxels along (i, j, k), each at least 1.
        affine: 4×4 float64 matrix that maps voxel indices to RAS millimetres.

    Raises:
        GeometryError: The shape is not three positive integers, or the affine is singular or not finite.

    Example:
        >>> import numpy as np
        >>> grid = Geometry((512, 512, 300), np.diag([-0.8, -0.8, 1.0, 1.0]))
        >>> grid.spacing, grid.axis_codes
        ((0.8, 0.8, 1.0), 'LPS')
    """

    spatial_shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "spatial_shape", _checked_shape(self.spatial_shape))
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.spatial_shape == other.spatial_shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.spatial_shape, self.affine.tobytes()))

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (i, j, k), in millimetres."""
        x, y, z = (float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0))
        return (x, y, z)

    @property
    def origin(self) -> tuple[float, float, float]:
        """RAS position of the centre of voxel (0, 0, 0), in millimetres."""
        x, y, z = (float(v) for v in self.affine[:3, 3])
        return (x, y, z)

    @cached_property
    def direction(self) -> NDArray[np.float64]:
        """3×3 float64 matrix whose columns are the RAS unit vectors of the i, j and k axes."""
        return np.asarray(self.affine[:3, :3] / np.asarray(self.spacing), dtype=np.float64)

    @cached_property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @cached_property
    def is_sheared(self) -> bool:
        """Whether the axes are not perpendicular (gantry tilt or a shearing registration)."""
        cosines = self.direction.T @ self.direction - np.eye(3)
        return bool(np.abs(cosines).max() > _SHEAR_COSINE)

    @cached_property
    def axis_codes(self) -> str:
        """Closest anatomical directions in which i, j and k increase, such as ``"RAS"`` or ``"LPS"``."""
        axes = closest_axes(self.affine)
        signs = (self.direction[axis, column] > 0 for column, axis in enumerate(axes))
        return "".join(_AXIS_CODES[axis][int(up)] for axis, up in zip(axes, signs, strict=True))

    def to_ras(self, index: ArrayLike) -> NDArray[np.float64]:
        """Map voxel indices of shape (…, 3) to RAS millimetres of shape (…, 3)."""
        return np.asarray(index, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, point_ras: ArrayLike) -> NDArray[np.float64]:
        """Map RAS millimetres of shape (…, 3) to fractional voxel indices of shape (…, 3)."""
        offset = np.asarray(point_ras, dtype=np.float64) - self.affine[:3, 3]
        return offset @ np.linalg.inv(self.affine[:3, :3]).T

    def is_same_grid(self, other: Geometry) -> bool:
        """Return whether the voxels of two grids are the same, up to the rounding of files and applications.

        An application may convert the affine to LPS and back, and a file may store it in single precision;
        ``==`` compares exactly.

        Args:
            other: Grid whose affine may differ by 0.001 mm in each element.

        Example:
            >>> grid = Geometry((4, 4, 4), np.diag([0.8, 0.8, 1.0, 1.0]))
            >>> grid.is_same_grid(Geometry((4, 4, 4), grid.affine.astype(np.float32)))
            True
        """
        same_shape = self.spatial_shape == other.spatial_shape
        return same_shape and np.allclose(self.affine, other.affine, rtol=0, atol=_SAME_GRID_MM)

    def cropped(self, box: Box) -> Geometry:
        """Return the grid of a box within this grid; voxel centres keep their positions in the patient."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_ras(box.start)
        return Geometry(box.shape, affine)


def closest_axes(affine: NDArray[np.float64]) -> tuple[int, int, int]:
    """Assign to each voxel axis the anatomical axis (0 = R, 1 = A, 2 = S) that it follows most closely.

    Each anatomical axis is assigned exactly once, and the assignment maximises the sum of the cosines, which
    keeps the result well defined for oblique grids.
    """
    direction = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    orders = ((a, b, c) for a, b, c in permutations(range(3)))
    return max(orders, key=lambda axes: sum(direction[a, c] for c, a in enumerate(axes)))


def _checked_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3 or any(int(n) != n or n < 1 for n in shape):
        raise GeometryError(f"A volume has three dimensions of at least one voxel, not {tuple(shape)}.")
    return (int(shape[0]), int(shape[1]), int(shape[2]))


def _checked_affine(affine: ArrayLike) -> NDArray[np.float64]:
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise GeometryError(f"The affine is a 4×4 matrix, not {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise GeometryError("The affine holds numbers that are not finite.", "Repair the image header.")
    if np.abs(matrix).max() > _LONGEST_MM:
        raise GeometryError("The affine holds numbers too large for millimetres.", "Repair the image header.")
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise GeometryError("The last row of the affine is not 0 0 0 1.", "Repair the image header.")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (spacing > _SHORTEST_MM).all():
        raise GeometryError("A voxel size is zero.", "Repair the image header.")
    # Relative to the spacing, so that small voxels do not count as a singular matrix.
    if abs(np.linalg.det(matrix[:3, :3] / spacing)) < 1e-3:
        raise GeometryError("The affine is singular: axes coincide.", "Repair the image header.")
    matrix.setflags(write=False)
    return matrix
