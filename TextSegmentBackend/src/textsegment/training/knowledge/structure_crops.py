"""Random crops of scans with the masks of some of their structures, for learning from images and names."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from textsegment.datasets.case import LabelledCase
from textsegment.datasets.data_set import DataSet
from textsegment.errors import InputError
from textsegment.geometry import Box

_MOST_OTHERS = 7
"""Largest number of further structures that are taken from a crop."""
_MOST_MEASURED = 10
"""Largest number of cases in which a structure is measured."""


@dataclass(frozen=True, eq=False)
class StructureCrop:
    """A crop of a scan on the canonical grid.

    Attributes:
        image: Normalised voxels, float32 (1, 1, h, w, d).
        masks: Masks of the structures, float32 (N, 1, h, w, d), none empty.
        structures: Names of the structures.
        modality: DICOM modality code.
    """

    image: Tensor
    masks: Tensor
    structures: tuple[str, ...]
    modality: str


class StructureSampler:
    """Source of random crops; what is drawn depends on seed and step alone.

    A structure of a modality is drawn with a weight of the root of the number of its scans, a scan of it with
    the inverse root of the size of its data set, and the crop around a random voxel of it.

    Args:
        sets: Prepared sets.
        split: Split to draw from.
        patch_size: Size of a crop in voxels, along R, A, S.
        seed: Seed of the random numbers.

    Raises:
        InputError: The split has no structure drawn.
    """

    def __init__(self, sets: list[DataSet], split: str, patch_size: tuple[int, int, int], seed: int) -> None:
        self._patch_size, self._seed = patch_size, seed
        self._cases = [case for each in sets for case in each.of_split(split)]
        sizes = Counter(case.dataset for case in self._cases)
        places: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, case in enumerate(self._cases):
            for structure in case.structures:
                if case.canonical_mask(structure) is not None:
                    places[structure, case.modality].append(number)
        if not places:
            raise InputError(f"The sets have no structure in the split {split}.", "Choose other sets.")
        self.labels = tuple(sorted(places))
        self._places = [places[label] for label in self.labels]
        repeats = np.array([round(math.sqrt(len(numbers))) for numbers in self._places], dtype=float)
        self._label_shares = repeats / repeats.sum()
        self._case_weights = [1 / math.sqrt(sizes[case.dataset]) for case in self._cases]

    def draw(self, step: int, count: int) -> list[StructureCrop]:
        """Return the crops of a step."""
        random = np.random.default_rng((self._seed, step, 2))
        return [self._crop(random) for _ in range(count)]

    def every_structure(self) -> Iterator[StructureCrop]:
        """Yield crops around the middle of each structure, of ten cases at most, for measuring."""
        for (structure, _), numbers in zip(self.labels, self._places, strict=True):
            for number in numbers[:: math.ceil(len(numbers) / _MOST_MEASURED)]:
                case = self._cases[number]
                yield _cut(case, [structure], _middle(case, structure), self._patch_size)

    def _crop(self, random: np.random.Generator) -> StructureCrop:
        label = int(random.choice(len(self.labels), p=self._label_shares))
        numbers = self._places[label]
        weights = np.array([self._case_weights[number] for number in numbers])
        case = self._cases[int(random.choice(numbers, p=weights / weights.sum()))]
        structure = self.labels[label][0]
        found = case.canonical_mask(structure)
        assert found is not None
        cut, mask = found
        voxels = np.argwhere(mask)
        centre = voxels[int(random.integers(len(voxels)))] + [part.start for part in cut]
        others = [name for name in case.structures if name != structure]
        shuffled = [others[int(n)] for n in random.permutation(len(others))]
        return _cut(case, [structure, *shuffled], centre, self._patch_size)


def _middle(case: LabelledCase, structure: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found = case.canonical_mask(structure)
    assert found is not None
    cut, mask = found
    voxels = np.argwhere(mask)
    return np.asarray(voxels[len(voxels) // 2] + [part.start for part in cut])


def _cut(
    case: LabelledCase,
    structures: list[str],
    centre: np.ndarray[tuple[int], np.dtype[np.int64]],
    size: tuple[int, int, int],
) -> StructureCrop:
    """Cut a crop; of the structures, the first and up to seven others that are in it are taken."""
    image = case.canonical_image()
    start = [
        int(np.clip(c - n // 2, 0, max(0, whole - n)))
        for c, n, whole in zip(centre, size, image.shape, strict=True)
    ]
    i, j, k = start
    whole = Box((i, j, k), (i + size[0], j + size[1], k + size[2]))
    inside = whole.cut_to(image.shape)
    part = image[inside.slices].astype(np.float32)
    voxels = np.full(size, part.min(), dtype=np.float32)
    voxels[tuple(slice(0, n) for n in inside.shape)] = part
    masks: list[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]] = []
    taken: list[str] = []
    for structure in structures:
        found = case.canonical_mask(structure)
        if found is None or len(taken) > _MOST_OTHERS:
            continue
        mask = _mask_in(whole, *found)
        if mask.any():
            masks.append(mask)
            taken.append(structure)
    return StructureCrop(
        torch.from_numpy(voxels)[None, None],
        torch.from_numpy(np.stack(masks))[:, None].float(),
        tuple(taken),
        case.modality,
    )


def _mask_in(
    crop: Box, cut: tuple[slice, slice, slice], mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    box = Box((cut[0].start, cut[1].start, cut[2].start), (cut[0].stop, cut[1].stop, cut[2].stop))
    shared = box.intersection(crop)
    region = np.zeros(crop.shape, dtype=bool)
    if 0 not in shared.shape:
        region[_within(shared, crop)] = mask[_within(shared, box)]
    return region


def _within(box: Box, outer: Box) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for a, b, o in zip(box.start, box.stop, outer.start, strict=True))
