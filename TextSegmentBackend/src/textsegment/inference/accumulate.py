"""Average overlapping patches in memory that depends on the size of a patch, not of the image.

Patches arrive in order along the sweep axis. Voxels that no further patch covers are final: they are
averaged, cropped to the structure, and stored as one byte each. Only a window as long as one patch stays in
float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textsegment.geometry import Box
from textsegment.inference.image.patches import PatchGrid

LEVELS = 254
"""Scale of stored probabilities: p is stored as round(254 p), and the level is > 127 exactly if p > 0.5."""
THRESHOLD = LEVELS / 2

# Lower probabilities are not kept: interpolated with a neighbour, they move a surface by 2 % of a voxel.
_LEAST_KEPT = 0.02
# Smaller than any weight of a patch.
_NO_WEIGHT = 1e-9


@dataclass(frozen=True, eq=False)
class ProbabilityBox:
    """Probabilities of one structure inside a box; zero elsewhere.

    Attributes:
        box: Position of the probabilities in the cropped canonical image.
        levels: uint8 array with the shape of ``box``: probability times 254.
    """

    box: Box
    levels: NDArray[np.uint8]


class Accumulator:
    """Weighted mean of the probabilities of several prompts over all patches of an image."""

    def __init__(self, prompts: int, grid: PatchGrid, device: torch.device) -> None:
        self._axis = grid.sweep_axis
        self._shape = grid.shape
        self._position = 0  # first voxel of the window along the sweep axis
        window = window_shape(grid)
        self._sums = torch.zeros((prompts, *window), device=device)
        self._weights = torch.zeros(window, device=device)
        self._found: list[list[ProbabilityBox]] = [[] for _ in range(prompts)]

    def begin_patch(self, box: Box, weight: Tensor) -> None:
        """Announce the next patch, in the order of ``PatchGrid.boxes``.

        Args:
            box: Voxels of the image covered by the patch.
            weight: Weights of its voxels, with the shape of ``box``, on the device of the accumulator.
        """
        self._finish_until(box.start[self._axis])
        self._weights[self._in_window(box)] += weight

    def add(self, box: Box, probabilities: Tensor, weight: Tensor) -> None:
        """Add a part of the announced patch.

        Args:
            box: Voxels of the image covered by the part.
            probabilities: float32 (prompts, *box.shape).
            weight: Weights of its voxels, with the shape of ``box``.
        """
        self._sums[(slice(None), *self._in_window(box))].addcmul_(probabilities, weight)

    def finish(self) -> list[ProbabilityBox | None]:
        """Return the probabilities of each prompt, in order; None if none of them exceeds one half."""
        self._finish_until(self._shape[self._axis])
        return [_joined(parts) for parts in self._found]

    def _in_window(self, box: Box) -> tuple[slice, ...]:
        shift = [self._position if axis == self._axis else 0 for axis in range(3)]
        return tuple(slice(a - s, b - s) for a, b, s in zip(box.start, box.stop, shift, strict=True))

    def _finish_until(self, position: int) -> None:
        window = self._weights.shape[self._axis]
        while self._position < position:  # patches that were not needed may lie in between
            self._finish(min(position - self._position, window))

    def _finish(self, final: int) -> None:
        """Finalise this many slices of the window and advance it past them."""
        # Voxels that no computed patch covers have neither weight nor probability.
        weights = self._weights.narrow(self._axis, 0, final).clamp(min=_NO_WEIGHT)
        for sums, found in zip(self._sums, self._found, strict=True):
            part = _kept(sums.narrow(self._axis, 0, final) / weights)
            if part is not None:
                found.append(_moved(part, self._axis, self._position))
        _shift(self._sums, self._axis + 1, final)
        _shift(self._weights, self._axis, final)
        self._position += final


def window_shape(grid: PatchGrid) -> tuple[int, int, int]:
    """Return the shape of the part of an image that the patches being added can touch."""
    shape = list(grid.shape)
    shape[grid.sweep_axis] = min(grid.patch_size[grid.sweep_axis], grid.shape[grid.sweep_axis])
    return (shape[0], shape[1], shape[2])


def _kept(probabilities: Tensor) -> ProbabilityBox | None:
    box = Box.around((probabilities > _LEAST_KEPT).cpu().numpy())
    if box is None:
        return None
    inside = probabilities[box.slices]
    levels = (inside * LEVELS).round_()
    levels = torch.where(inside > 0.5, levels.clamp(min=LEVELS // 2 + 1), levels.clamp(max=LEVELS // 2))
    return ProbabilityBox(box, levels.to(torch.uint8).cpu().numpy())


def _moved(part: ProbabilityBox, axis: int, by: int) -> ProbabilityBox:
    start, stop = list(part.box.start), list(part.box.stop)
    start[axis] += by
    stop[axis] += by
    return ProbabilityBox(Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])), part.levels)


def _joined(parts: list[ProbabilityBox]) -> ProbabilityBox | None:
    if not any((part.levels > THRESHOLD).any() for part in parts):
        return None
    start = np.min([part.box.start for part in parts], axis=0)
    stop = np.max([part.box.stop for part in parts], axis=0)
    levels = np.zeros(stop - start, dtype=np.uint8)
    for part in parts:
        a, b = np.subtract(part.box.start, start), np.subtract(part.box.stop, start)
        levels[tuple(slice(i, j) for i, j in zip(a, b, strict=True))] = part.levels
    # To interpolate values above one half, one voxel around those above it is needed.
    core = Box.around(levels > THRESHOLD)
    assert core is not None
    low = np.maximum(np.subtract(core.start, 1), 0)
    high = np.minimum(np.add(core.stop, 1), levels.shape)
    i, j, k = (int(n) for n in start + low)
    p, q, r = (int(n) for n in start + high)
    cut = levels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return ProbabilityBox(Box((i, j, k), (p, q, r)), np.ascontiguousarray(cut))


def _shift(window: Tensor, axis: int, by: int) -> None:
    """Shift the content of a window towards its beginning along an axis, in place, and fill up with zeros."""
    size = window.shape[axis]
    for start in range(0, size - by, by):  # pieces whose source and target do not overlap
        length = min(by, size - by - start)
        window.narrow(axis, start, length).copy_(window.narrow(axis, start + by, length))
    window.narrow(axis, max(size - by, 0), min(by, size)).zero_()
