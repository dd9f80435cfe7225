"""Random patches of training cases. Each is a function of seed, step and place in the batch alone.

So a run that was broken off goes on exactly as it would have, and several processes draw what one would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from textsegment.training.sampling import augment
from textsegment.training.sampling.case import CaseLabels, TrainingCase
from textsegment.training.settings import Size, TrainingSettings

_UNCHANGED_SHARE = 0.3
"""Fraction of patches that are not augmented strongly, because the scans of users are not either."""
_STRUCTURE_SHARE = 0.5
"""Fraction of patches around a voxel of one random structure; the others are around one of any structure."""
_ANYWHERE_SHARE = 0.3
"""Fraction of patches anywhere, with the strong augmentation: small networks forget the background."""
_SLAB_SHARE, _THINNEST_SLAB = 0.2, 12
"""Fraction of patches that are cut short along z, with the strong augmentation: some scans are slabs."""
_MARGIN = 1.15
"""Size of the region that is read for a patch to be rotated and scaled, relative to the patch."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch of a training case.

    Attributes:
        case: What is known about the structures of its case.
        image: Normalised voxels (1, 1, h, w, d).
        atoms: Map of atoms (h, w, d) as in the case.
        partly: Bits (h, w, d): bit n is set where the n-th of the case's ``extents`` is unknown.
    """

    case: CaseLabels
    image: Tensor
    atoms: Tensor
    partly: Tensor

    def at(self, voxels: tuple[slice, ...]) -> Patch:
        """Return the same patch with the labels of some of its voxels."""
        return replace(self, atoms=self.atoms[voxels], partly=self.partly[voxels])

    def present(self) -> list[str]:
        """Return the structures that have a voxel in the patch."""
        atoms = [atom for atom in torch.unique(self.atoms).tolist() if atom > 0]
        inside = np.flatnonzero(self.case.membership[atoms].any(axis=0))
        return [self.case.structures[index] for index in inside]

    def targets(self, structures: Sequence[str]) -> Tensor:
        """Return masks (N, h, w, d) of structures; those that are not drawn are empty."""
        columns = {name: index for index, name in enumerate(self.case.structures)}
        table = torch.zeros(len(structures), len(self.case.membership) + 1, dtype=torch.bool)
        for row, name in enumerate(structures):
            if name in columns:
                table[row, :-1] = torch.from_numpy(self.case.membership[:, columns[name]])
        return table[:, self.atoms]  # atom -1, the last column, is empty

    def known(self, structures: Sequence[str]) -> Tensor:
        """Return where the truth of each structure is known, (N, h, w, d)."""
        known = (self.atoms >= 0).expand(len(structures), -1, -1, -1).clone()
        for bit, name in enumerate(self.case.extents):
            if name in structures:
                known[list(structures).index(name)] &= (self.partly >> bit) & 1 == 0
        return known


class PatchSource:
    """Cuts and augments patches.

    Args:
        settings: Recipe of the run.
        size: Size of a patch in use, if the recipe has none.
    """

    def __init__(self, settings: TrainingSettings, size: Size) -> None:
        sizes = settings.sizes or ((size, 1.0),)
        self._sizes = [each for each, _ in sizes]
        self._odds = np.array([odds for _, odds in sizes]) / sum(odds for _, odds in sizes)
        self._kind = settings.augmentation
        if self._kind != "none":
            from textsegment.training.sampling import monai_transforms

            self._published = monai_transforms.published()
            self._rotated, self._rescanned = monai_transforms.rotated(), monai_transforms.rescanned()

    def cut(self, case: TrainingCase, random: np.random.Generator) -> Patch:
        """Cut a random patch out of a case and augment it."""
        whole = self._sizes[int(random.choice(len(self._sizes), p=self._odds))]
        strong = self._kind == "strong" and random.random() >= _UNCHANGED_SHARE
        slab = self._kind == "strong" and random.random() < _SLAB_SHARE
        size = (whole[0], whole[1], int(random.integers(_THINNEST_SLAB, whole[2]))) if slab else whole
        anywhere = self._kind == "strong" and random.random() < _ANYWHERE_SHARE
        region = _grown(size) if strong else size
        image, labels = _cut(case, _start(case, region, random, anywhere=anywhere), region)
        if strong:
            image, labels = self._strongly(image, labels, size, random)
        elif self._kind == "published":
            self._published.set_random_state(seed=int(random.integers(2**31)))
            item = self._published({"image": image, "labels": labels})
            image, labels = item["image"].as_tensor(), item["labels"].as_tensor()
        image, labels = (_padded(x, whole) for x in (image, labels))
        return Patch(case.labels, image[None].float(), labels[0].long(), labels[1].long())

    def _strongly(
        self, image: Tensor, labels: Tensor, size: Size, random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        for transform in (self._rotated, self._rescanned):
            transform.set_random_state(seed=int(random.integers(2**31)))
        item = self._rotated({"image": image, "labels": labels})
        image, labels = (_middle(item[key].as_tensor(), size) for key in ("image", "labels"))
        image = augment.recolour(image, labels[:1], random)
        image = self._rescanned({"image": image})["image"].as_tensor()
        return augment.thicken_slices(image, random), labels


def _start(
    case: TrainingCase, size: Size, random: np.random.Generator, *, anywhere: bool
) -> tuple[int, int, int]:
    """Choose the first voxel of a patch, on foreground unless it may be anywhere."""
    free = [max(0, n - s) for n, s in zip(case.image.shape, size, strict=True)]
    centre = None if anywhere else _foreground_voxel(case, random)
    if centre is None:
        wished = [int(random.integers(f + 1)) for f in free]
    else:  # not always in the middle
        wished = [int(c - random.integers(s // 4, s - s // 4)) for c, s in zip(centre, size, strict=True)]
    x, y, z = (min(max(0, w), f) for w, f in zip(wished, free, strict=True))
    return x, y, z


def _foreground_voxel(case: TrainingCase, random: np.random.Generator) -> tuple[int, ...] | None:
    atoms = np.arange(1, len(case.membership))
    if random.random() < _STRUCTURE_SHARE:
        atoms = np.flatnonzero(case.membership[:, random.integers(len(case.structures))])
    where = np.flatnonzero(np.isin(case.atoms, atoms))
    if not len(where):
        where = np.flatnonzero(case.atoms > 0)
    if not len(where):
        return None
    return tuple(int(n) for n in np.unravel_index(where[random.integers(len(where))], case.atoms.shape))


def _grown(size: Size) -> Size:
    x, y, z = (round(n * _MARGIN) for n in size)
    return x, y, z


def _cut(case: TrainingCase, start: tuple[int, int, int], size: Size) -> tuple[Tensor, Tensor]:
    """Cut out an image (1, h, w, d), and its atoms with bits of unknown structures, (2, h, w, d)."""
    box = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
    atoms = torch.from_numpy(case.atoms[box].astype(np.float32))
    z = torch.arange(start[2], start[2] + atoms.shape[2])
    bits = torch.zeros(len(z))
    for bit, (low, high) in enumerate(case.extents.values()):
        bits += ((z < low) | (z > high)) * float(1 << bit)
    image = torch.from_numpy(case.image[box].astype(np.float32))
    return image[None], torch.stack((atoms, bits.expand(atoms.shape)))


def _middle(x: Tensor, size: Size) -> Tensor:
    """Cut the middle, of at most a given size, out of (C, h, w, d)."""
    starts = [max(0, (n - s) // 2) for n, s in zip(x.shape[1:], size, strict=True)]
    return x[(slice(None), *(slice(a, a + s) for a, s in zip(starts, size, strict=True)))]


def _padded(x: Tensor, size: Size) -> Tensor:
    """Pad (C, h, w, d) with zeros at the end, as in use."""
    missing = [s - n for n, s in zip(x.shape[1:], size, strict=True)]
    return F.pad(x, (0, missing[2], 0, missing[1], 0, missing[0]))
