"""Random patches of training cases, on foreground or anywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from textsegment.training import augment
from textsegment.training.dataset import TrainingCase

Size = tuple[int, int, int]
_UNCHANGED_SHARE = 0.3
"""Fraction of patches that are not augmented, because the scans of users are not either."""
_STRUCTURE_SHARE, _FOREGROUND_SHARE = 0.4, 0.3
"""Fractions of patches around a voxel of one random structure, and of any; the rest are anywhere."""
_MARGIN = 1.15
"""Size of the region that is read for a patch to be rotated and scaled, relative to the patch."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch of a training case.

    Attributes:
        case: Case that it belongs to.
        image: Normalised voxels (1, 1, h, w, d).
        labels: Label map (h, w, d) as in the case.
        partly: Bits (h, w, d): bit n is set where ``partly_drawn[n]`` is unknown.
    """

    case: TrainingCase
    image: Tensor
    labels: Tensor
    partly: Tensor

    def at(self, voxels: tuple[slice, ...]) -> Patch:
        """Return the same patch with the labels of some of its voxels."""
        return replace(self, labels=self.labels[voxels], partly=self.partly[voxels])

    def known(self, structures: list[str]) -> Tensor:
        """Return where the truth of each structure is known, (N, h, w, d)."""
        known = (self.labels >= 0).expand(len(structures), -1, -1, -1).clone()
        for bit, name in enumerate(self.case.extents):
            for row, structure in enumerate(structures):
                if name == structure or name in self.case.groups.get(structure, ()):
                    known[row] &= (self.partly >> bit) & 1 == 0
        return known


class PatchSampler:
    """Sampler of augmented patches from training cases, which are drawn according to their weights.

    Args:
        cases: Cases to draw from.
        sizes: Sizes of patches in voxels, one of which is drawn for each patch.
        seed: Seed of everything random.
    """

    def __init__(self, cases: list[TrainingCase], sizes: dict[Size, float], seed: int) -> None:
        self.cases = cases
        self._random = np.random.default_rng(seed)
        self._spatial = augment.spatial().set_random_state(seed)
        self._intensity = augment.intensity().set_random_state(seed)
        weights: NDArray[np.float64] = np.array([case.weight for case in cases], dtype=np.float64)
        self._odds = weights / weights.sum()
        self._sizes = list(sizes)
        self._size_odds = np.array(list(sizes.values())) / sum(sizes.values())
        self._foreground = [_foreground(case.labels) for case in cases]

    def draw(self) -> Patch:
        """Draw a case and a patch of it."""
        index = int(self._random.choice(len(self.cases), p=self._odds))
        case = self.cases[index]
        size = self._sizes[int(self._random.choice(len(self._sizes), p=self._size_odds))]
        changed = self._random.random() >= _UNCHANGED_SHARE
        region = tuple(round(n * _MARGIN) for n in size) if changed else size
        start = self._start(index, (region[0], region[1], region[2]))
        image, labels = _cut(case, start, (region[0], region[1], region[2]))
        if changed:
            item = self._spatial({"image": image, "labels": labels})
            image, labels = (_middle(item[key].as_tensor(), size) for key in ("image", "labels"))
            image = augment.recolour(image, labels[:1], self._random)
            image = self._intensity({"image": image})["image"].as_tensor()
            image = augment.thicken_slices(image, self._random)
        image, labels = (_padded(x, size) for x in (image, labels))
        return Patch(case, image[None].float(), labels[0].long(), labels[1].long())

    def _start(self, index: int, size: Size) -> tuple[int, int, int]:
        shape = self.cases[index].image.shape
        voxels, numbers = self._foreground[index]
        choice = self._random.random()
        free = [max(0, n - s) for n, s in zip(shape, size, strict=True)]
        if choice < _STRUCTURE_SHARE + _FOREGROUND_SHARE:
            if choice < _STRUCTURE_SHARE:
                voxels = voxels[numbers == self._random.choice(np.unique(numbers))]
            centre = voxels[self._random.integers(len(voxels))]
            shift = [
                self._random.integers(s // 4, s - s // 4) for s in size
            ]  # the voxel is not always in the middle
            wished = [int(c - s) for c, s in zip(centre, shift, strict=True)]
        else:
            wished = [int(self._random.integers(f + 1)) for f in free]
        x, y, z = (min(max(0, w), f) for w, f in zip(wished, free, strict=True))
        return x, y, z


def _foreground(labels: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the indices of labelled voxels, (N, 3), and their numbers."""
    where = np.nonzero(labels > 0)
    return np.stack(where, axis=1).astype(np.int16), labels[where]


def _cut(case: TrainingCase, start: tuple[int, int, int], size: Size) -> tuple[Tensor, Tensor]:
    """Cut out an image (1, h, w, d), and its label map with bits of unknown structures, (2, h, w, d)."""
    box = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
    labels = torch.from_numpy(case.labels[box].astype(np.float32))
    z = torch.arange(start[2], start[2] + labels.shape[2])
    bits = torch.zeros(len(z))
    for bit, (low, high) in enumerate(case.extents.values()):
        bits += ((z < low) | (z > high)) * float(1 << bit)
    return torch.from_numpy(case.image[box])[None], torch.stack((labels, bits.expand(labels.shape)))


def _middle(x: Tensor, size: Size) -> Tensor:
    """Cut the middle, of at most a given size, out of (C, h, w, d)."""
    starts = [max(0, (n - s) // 2) for n, s in zip(x.shape[1:], size, strict=True)]
    return x[(slice(None), *(slice(a, a + s) for a, s in zip(starts, size, strict=True)))]


def _padded(x: Tensor, size: Size) -> Tensor:
    """Pad (C, h, w, d) with zeros at the end, as in use."""
    missing = [s - n for n, s in zip(x.shape[1:], size, strict=True)]
    return F.pad(x, (0, missing[2], 0, missing[1], 0, missing[0]))
