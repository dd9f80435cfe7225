"""How an image is cut into overlapping patches, and how much each voxel of a patch counts.

The tiling and the weights are those that the published networks were tested with; exact answers need them.
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
"""With which the published networks were tested."""
FAST_OVERLAP = 0.25
"""Of the fast mode."""


@dataclass(frozen=True)
class PatchGrid:
    """Overlapping patches that cover an image.

    Attributes:
        shape: Voxels of the image.
        patch_size: Voxels of a patch.
        overlap: Part of a patch that the next one along an axis repeats.
    """

    shape: tuple[int, int, int]
    patch_size: tuple[int, int, int]
    overlap: float = OVERLAP

    @cached_property
    def starts(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """First voxels of the patches along each axis, ascending."""
        x, y, z = (patch_starts(n, p, self.overlap) for n, p in zip(self.shape, self.patch_size, strict=True))
        return (x, y, z)

    @property
    def sweep_axis(self) -> int:
        """The axis with most patches: walked slowest, so that finished parts can leave memory early."""
        return max(range(3), key=lambda axis: len(self.starts[axis]))

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Voxels of the image in each patch; smaller than the patch where the image is. In sweep order."""
        corners = sorted(product(*self.starts), key=lambda corner: corner[self.sweep_axis])
        return tuple(
            Box((x, y, z), (min(x + self.patch_size[0], self.shape[0]),
                            min(y + self.patch_size[1], self.shape[1]),
                            min(z + self.patch_size[2], self.shape[2])))
            for x, y, z in corners
        )  # fmt: skip


def patch_starts(size: int, patch: int, overlap: float = OVERLAP) -> tuple[int, ...]:
    """Return the first voxels of the patches along one axis.

    There are max(⌈(size − patch) / step⌉ + 1, 1) patches; the last one is moved back to end with the image,
    but not before its beginning.

    Args:
        size: Voxels of the image.
        patch: Voxels of a patch, even.
        overlap: Part of a patch that the next one repeats; the step is the rest.
    """
    step = max(round(patch * (1 - overlap)), 1)
    count = max(ceil((size - patch) / step) + 1, 1)
    return tuple(max(min(n * step, size - patch), 0) for n in range(count))


def cut_patch(voxels: NDArray[np.float32], box: Box, patch_size: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the voxels of one patch, zeros added at the end of each axis where the image is smaller."""
    patch = np.zeros(patch_size, dtype=np.float32)
    patch[tuple(slice(n) for n in box.shape)] = voxels[box.slices]
    return patch


@lru_cache(maxsize=2)
def patch_weight(patch_size: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the weight of each voxel of a patch when probabilities of several patches are averaged.

    A unit impulse in the middle, blurred with a standard deviation of an eighth of the patch, scaled to a
    maximum of 10, rounded to half precision; zeros are replaced by the smallest weight that is none. Where
    the image is smaller than a patch, the weight is cut from its beginning.

    Returns:
        float32 of the shape of a patch, read only.
    """
    impulses = [np.eye(1, n, n // 2)[0] for n in patch_size]
    x, y, z = (gaussian_filter1d(one, len(one) / 8, mode="constant") for one in impulses)
    blurred = np.einsum("i,j,k->ijk", x, y, z)
    half = (blurred / blurred.max() * 10).astype(np.float16)
    half[half == 0] = half[half > 0].min()
    weight: NDArray[np.float32] = half.astype(np.float32)
    weight.setflags(write=False)
    return weight
