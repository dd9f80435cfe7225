"""Decode prompts on every n-th voxel: enough to know where structures lie, at a fraction of the cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from textsegment.geometry import Box
from textsegment.inference.accumulate import Accumulator, ProbabilityBox
from textsegment.inference.decode import decode_patch
from textsegment.inference.image.patches import PatchGrid, patch_weight
from textsegment.model.sat import SAT, PatchFeatures

_COARSE_MM = 5.0

Step = tuple[int, int, int]


def coarse_step(spacing: Sequence[float]) -> Step:
    """Return every how many voxels a coarse grid of about 5 mm has one, along each axis.

    >>> coarse_step((1.0, 1.0, 3.0)), coarse_step((3.0, 3.0, 3.0))
    ((5, 5, 2), (2, 2, 2))
    """
    i, j, k = (max(1, round(_COARSE_MM / size)) for size in spacing)
    return (i, j, k)


@dataclass(frozen=True)
class CoarseGrid(PatchGrid):
    """The patches of a grid on every n-th of its voxels, those whose indices are multiples of n.

    Attributes:
        fine: Grid of all voxels.
        step: The n of each axis.
    """

    fine: PatchGrid | None = None
    step: Step = (1, 1, 1)

    @classmethod
    def of(cls, fine: PatchGrid, step: Step) -> CoarseGrid:
        """Return the coarse grid of a grid."""
        i, j, k = (-(-n // s) for n, s in zip(fine.shape, step, strict=True))
        p, q, r = (-(-n // s) for n, s in zip(fine.patch_size, step, strict=True))
        return cls((i, j, k), (p, q, r), fine.overlap, fine, step)

    @cached_property
    def starts(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Indices of the first voxels of the patches along each axis, ascending."""
        assert self.fine is not None
        x, y, z = (
            tuple(-(-first // s) for first in firsts)
            for firsts, s in zip(self.fine.starts, self.step, strict=True)
        )
        return (x, y, z)


class CoarseDecoder:
    """Decodes prompts on a coarse grid while the patches of a scan pass by.

    Args:
        names: Prompts, at least one.
        queries: Queries of the prompts (N, width), on the device.
        network: Network that made the features.
        grid: Patches of the scan.
        step: Step of the coarse grid; see ``coarse_step``.
        device: Device on which probabilities are summed.
    """

    def __init__(
        self,
        names: Sequence[str],
        queries: Tensor,
        network: SAT,
        grid: PatchGrid,
        step: Step,
        device: torch.device,
    ) -> None:
        self._names = tuple(names)
        self._queries = queries
        self._network = network
        self._step = step
        self._weight = torch.tensor(patch_weight(grid.patch_size), device=device)
        self._accumulator = Accumulator(len(self._names), CoarseGrid.of(grid, step), device)

    def add(self, box: Box, features: PatchFeatures, block_bytes: int) -> None:
        """Add a patch; patches come in the order of ``PatchGrid.boxes``."""
        coarse = coarse_box(box, self._step)
        kept = tuple(
            slice(c * s - a, b - a, s)
            for c, s, a, b in zip(coarse.start, self._step, box.start, box.stop, strict=True)
        )
        weight = self._weight[kept]
        self._accumulator.begin_patch(coarse, weight)
        embeddings = self._network.mask_embeddings(features, self._queries)
        pixels = features.pixel_features[(slice(None), *kept)]
        decode_patch(pixels, embeddings, coarse, weight, self._accumulator, block_bytes)

    def finish(self) -> dict[str, ProbabilityBox | None]:
        """Return the probabilities of each prompt on the coarse grid; None where it was not found."""
        return dict(zip(self._names, self._accumulator.finish(), strict=True))


def coarse_box(box: Box, step: Step) -> Box:
    """Return the box of the coarse voxels whose positions lie in a box of voxels.

    >>> coarse_box(Box((3, 4, 5), (9, 9, 9)), (2, 2, 2))
    Box(start=(2, 2, 3), stop=(5, 5, 5))
    """
    i, j, k = (-(-n // s) for n, s in zip(box.start, step, strict=True))
    p, q, r = (-(-n // s) for n, s in zip(box.stop, step, strict=True))
    return Box((i, j, k), (p, q, r))


def thinned(probability: ProbabilityBox, step: Step) -> ProbabilityBox:
    """Return probabilities of the fine grid on the coarse one."""
    box = coarse_box(probability.box, step)
    kept = tuple(
        slice(c * s - a, None, s) for c, s, a in zip(box.start, step, probability.box.start, strict=True)
    )
    return ProbabilityBox(box, probability.levels[kept])
