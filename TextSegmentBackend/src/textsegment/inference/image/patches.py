"""Tiling of an image into overlapping patches, and the weight of each voxel of a patch.

Tiling and weights are those with which the published networks were evaluated; results depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from textsegment.geometry import Box

OVERLAP = 0.5
"""Overlap with which the published networks were evaluated."""
FAST_OVERLAP = 0.25
"""Overlap of the fast mode."""


@dataclass(frozen=True)
class PatchGrid:
    """Overlapping patches that cover an image.

    Attributes:
        shape: Shape of the image in voxels.
        patch_size: Shape of a patch in voxels.
        overlap: Fraction of a patch that it shares with the next one along an axis.
    """

    shape: tuple[int, int, int]
    patch_size: tuple[int, int, int]
    overlap: float = OVERLAP

    @cached_property
    def starts(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Indices of the first voxels of the patches along each axis, ascending."""
        x, y, z = (patch_starts(n, p, self.overlap) for n, p in zip(self.shape, self.patch_size, strict=True))
        return (x, y, z)

    @property
    def sweep_axis(self) -> int:
        """Axis with the most patches, traversed slowest so that finished parts can leave memory early."""
        return max(range(3), key=lambda axis: len(self.starts[axis]))

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Boxes of the image covered by each patch, in sweep order, clipped where the image is smaller."""
        corners = sorted(product(*self.starts), key=lambda corner: corner[self.sweep_axis])
        return tuple(
            Box((x, y, z), (min(x + self.patch_size[0], self.shape[0]),
                            min(y + self.patch_size[1], self.shape[1]),
                            min(z + self.patch_size[2], self.shape[2])))
            for x, y, z in corners
        )  # fmt: skip


def patch_starts(size: int, patch: int, overlap: float = OVERLAP) -> tuple[int, ...]:
    """Return the indices of the first voxels of the patches along one axis.

    There are max(⌈(size − patch) / step⌉ + 1, 1) patches; the last one is moved back to end with the image,
    but never before its beginning.

    Args:
        size: Size of the image in voxels.
        patch: Size of a patch in voxels; even.
        overlap: Fraction of a patch that it shares with the next one; the step is the rest.
    """
    step = max(round(patch * (1 - overlap)), 1)
    count = max(ceil((size - patch) / step) + 1, 1)
    return tuple(max(min(n * step, size - patch), 0) for n in range(count))


def cut_patch(voxels: NDArray[np.float32], box: Box, patch_size: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the voxels of one patch, zero-padded at the end of each axis where the image is smaller."""
    patch = np.zeros(patch_size, dtype=np.float32)
    patch[tuple(slice(n) for n in box.shape)] = voxels[box.slices]
    return patch


@lru_cache(maxsize=2)
def patch_weight(patch_size: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the weight of each voxel of a patch for averaging the probabilities of several patches.

    It is a unit impulse in the middle, blurred with a standard deviation of an eighth of the patch, scaled to
    a maximum of 10, and rounded to half precision; zeros are replaced by the smallest nonzero weight. Where
    the image is smaller than a patch, the beginning of the weight applies.

    Returns:
        Read-only float32 array with the shape of a patch.
    """
    impulses = [np.eye(1, n, n // 2)[0] for n in patch_size]
    x, y, z = (gaussian_filter1d(one, len(one) / 8, mode="constant") for one in impulses)
    blurred = np.einsum("i,j,k->ijk", x, y, z)
    half = (blurred / blurred.max() * 10).astype(np.float16)
    half[half == 0] = half[half > 0].min()
    weight: NDArray[np.float32] = half.astype(np.float32)
    weight.setflags(write=False)
    return weight
