"""How much of an image is processed for a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil

import numpy as np

from textsegment.errors import GeometryError
from textsegment.geometry import Box, Geometry


@dataclass(frozen=True)
class Effort:
    """Which part of the image is processed, and how thoroughly.

    Attributes:
        region: Box of voxels to process, on the grid of the volume; None for the whole volume. Masks end at
            its border; inside, they equal those of the whole image, so the cost is that of every patch that
            touches the region.
        fast: Whether patches overlap by a quarter instead of a half: large images need fewer patches, and
            masks are slightly less accurate.
        check: Whether everything is computed a second time on an image shifted by half a voxel, to tell how
            stable each mask is, which takes twice as long.

    Example:
        >>> Effort(region=Box((10, 0, 0), (600, 40, 30))).within((64, 64, 30)).region
        Box(start=(10, 0, 0), stop=(64, 40, 30))
    """

    region: Box | None = None
    fast: bool = False
    check: bool = False

    def within(self, spatial_shape: tuple[int, int, int]) -> Effort:
        """Return this effort with its region clipped to an image of the given shape (i, j, k).

        Raises:
            GeometryError: The region lies entirely outside the image.
        """
        if self.region is None:
            return self
        box = self.region.cut_to(spatial_shape)
        if 0 in box.shape:
            raise GeometryError(
                "The region to look at lies outside the image.", "Place it on the image, or leave it out."
            )
        return replace(self, region=box)


def region_in(geometry: Geometry, low_ras: Sequence[float], high_ras: Sequence[float]) -> Box:
    """Return the box of voxels whose centres lie in a rectangular box given in RAS millimetres.

    Args:
        geometry: Voxel grid, in any orientation.
        low_ras: One corner of the box, (R, A, S) in millimetres.
        high_ras: Opposite corner, (R, A, S) in millimetres; either corner may have the larger coordinate.

    Example:
        >>> grid = Geometry((100, 100, 50), np.diag([-1.0, -1.0, 2.0, 1.0]))
        >>> region_in(grid, (-30, -20, 10), (-10, 0, 20))
        Box(start=(10, 0, 5), stop=(31, 21, 11))
    """
    corners = list(product(*zip(low_ras, high_ras, strict=True)))
    indices = np.round(geometry.to_index(corners), 6)
    i, j, k = (int(n) for n in np.ceil(indices.min(axis=0)))
    p, q, r = (int(n) + 1 for n in np.floor(indices.max(axis=0)))
    return Box((i, j, k), (max(p, i), max(q, j), max(r, k)))


def around(box: Box, geometry: Geometry, margin_mm: float) -> Box:
    """Return a box grown by a margin on every side, rounded up to whole voxels; it may leave the grid.

    >>> around(Box((5, 5, 5), (9, 9, 9)), Geometry((20, 20, 20), np.diag([1.0, 1.0, 4.0, 1.0])), 6.0)
    Box(start=(-1, -1, 3), stop=(15, 15, 11))
    """
    a, b, c = (ceil(margin_mm / spacing) for spacing in geometry.spacing)
    (i, j, k), (p, q, r) = box.start, box.stop
    return Box((i - a, j - b, k - c), (p + a, q + b, r + c))


WHOLE_IMAGE = Effort()
"""The whole image at standard patch overlap, which is how the model was evaluated."""
