"""Smoothing of the surface of a mask."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from textsegment.derive.region import Region, continued
from textsegment.geometry import Box, Geometry

_REACH = 2.0  # standard deviations; what lies farther away weighs less than 5 %


def smoothed(region: Region, deviation_mm: float, geometry: Geometry) -> Region:
    """Blur a region with a Gaussian, and return what is more than half inside.

    A region is assumed to continue beyond the image as it is at the border. A thin one may vanish.

    Args:
        region: Region to smooth.
        deviation_mm: Standard deviation of the Gaussian in millimetres, positive.
        geometry: Geometry of the whole grid.

    Example:
        >>> grid = Geometry((9, 9, 9), np.eye(4))
        >>> speck = np.zeros((9, 9, 9), dtype=bool)
        >>> speck[4, 4, 4] = True
        >>> smoothed(Region((0, 0, 0), speck), 1.0, grid).is_empty
        True
    """
    kernels = [_kernel(deviation_mm / size) for size in geometry.spacing]
    reach = [len(kernel) // 2 for kernel in kernels]
    blurred = continued(region, _wider(region.box, [2 * n for n in reach]), geometry).astype(np.float32)
    for axis, kernel in enumerate(kernels):
        blurred = _convolved(blurred, kernel, axis)
    grown = Region(_wider(region.box, reach).start, blurred > 0.5)
    inside = grown.box.cut_to(geometry.spatial_shape)
    return Region(inside.start, grown.within(inside))


def _wider(box: Box, by: list[int]) -> Box:
    start = [a - n for a, n in zip(box.start, by, strict=True)]
    stop = [b + n for b, n in zip(box.stop, by, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _kernel(deviation: float) -> NDArray[np.float32]:
    reach = math.ceil(_REACH * deviation)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def _convolved(array: NDArray[np.float32], kernel: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Convolve along an axis, which becomes shorter by the length of the kernel minus one."""
    along = np.moveaxis(array, axis, 0)
    count = len(along) - len(kernel) + 1
    result = np.zeros((count, *along.shape[1:]), dtype=np.float32)
    for offset, weight in enumerate(kernel):
        result += weight * along[offset : offset + count]
    return np.moveaxis(result, 0, axis)
