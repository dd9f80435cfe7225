"""The loss of a patch at all resolutions, and how well each structure was found in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from textsegment.model.sat import SAT
from textsegment.training.losses.loss import exclusive_loss, independent_loss, published_loss
from textsegment.training.sampling.patches import Patch
from textsegment.training.settings import Size, TrainingSettings

_COARSE_WEIGHT = 0.5


class Outcome(NamedTuple):
    """Loss of a patch, and the Dice of each structure that is there, from the finest resolution."""

    loss: Tensor
    dice: dict[tuple[str, str], float]


class Objective:
    """Loss of a patch with deep supervision.

    Args:
        settings: Recipe of the run.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings

    def __call__(
        self,
        levels: list[tuple[Tensor, Tensor]],
        patch: Patch,
        structures: list[str],
        step: int,
        random: np.random.Generator,
    ) -> Outcome:
        """Compute the loss.

        Args:
            levels: Features (C, h, w, d) and mask embeddings (N, C) at each resolution, finest first.
            patch: The patch.
            structures: The N structures that were asked for.
            step: Number of the step.
            random: Random number generator, for the voxels that are looked at.
        """
        total = torch.zeros((), device=levels[0][0].device)
        weights = self._weights(len(levels))
        dice: dict[tuple[str, str], float] = {}
        for level, (features, embeddings) in enumerate(levels):
            stride = self.settings.stride if level == 0 else (1, 1, 1)
            start = [int(random.integers(s << level)) for s in stride]
            seen = features[(slice(None), *_every(stride, [s >> level for s in start]))]
            logits = SAT.logits(seen.float(), embeddings)
            here = patch.at(_every([s << level for s in stride], start))
            targets, known = here.targets(structures), here.known(structures)
            targets, known = targets.to(logits.device), known.to(logits.device)
            total = total + weights[level] * self._loss(logits, targets, known, patch, structures, step)
            if level == 0:
                dice = _dice((logits.detach() > 0) & known, targets & known, structures, patch.case.modality)
        return Outcome(total, dice)

    def _weights(self, levels: int) -> list[float]:
        if self.settings.objective == "exclusive":
            return [1.0] + [_COARSE_WEIGHT] * (levels - 1)
        halves = [0.5**level for level in range(levels)]
        return [weight / sum(halves) for weight in halves]

    def _loss(
        self, logits: Tensor, targets: Tensor, known: Tensor, patch: Patch, structures: list[str], step: int
    ) -> Tensor:
        if self.settings.objective == "independent":
            return published_loss(logits, targets, known)
        rows = [row for row, name in enumerate(structures) if self._is_exclusive(patch, name)]
        loss = torch.zeros((), device=logits.device)
        if rows:
            alone = targets[rows]
            # Voxels of a structure that is not exclusive may belong to one of its parts: they say nothing.
            others = targets[[row for row in range(len(structures)) if row not in rows]].any(0)
            certain = known[rows] & (alone.any(0) | ~others)
            # Small structures would otherwise learn nothing at first; towards the end all voxels count alike.
            balance = 0.5 * (1 - step / self.settings.steps)
            loss = exclusive_loss(logits[rows], alone, certain, balance)
        if step >= self.settings.exclusive_only_steps:
            loss = loss + independent_loss(logits, targets, known)
        return loss

    @staticmethod
    def _is_exclusive(patch: Patch, name: str) -> bool:
        return name in patch.case.exclusive


def _every(stride: Size | list[int], start: list[int]) -> tuple[slice, ...]:
    return tuple(slice(first, None, step) for first, step in zip(start, stride, strict=True))


def _dice(
    masks: Tensor, targets: Tensor, structures: list[str], modality: str
) -> dict[tuple[str, str], float]:
    sizes = targets.sum((1, 2, 3))
    values = 2 * (masks & targets).sum((1, 2, 3)) / (masks.sum((1, 2, 3)) + sizes).clamp(min=1)
    rows = zip(structures, values.tolist(), sizes.tolist(), strict=True)
    return {(name, modality): value for name, value, size in rows if size > 0}
