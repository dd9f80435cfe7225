"""Cases of several sets for training: how often each is drawn, and which are kept in memory."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from textsegment.datasets.case import LabelledCase
from textsegment.datasets.data_set import DataSet
from textsegment.datasets.record import box_of
from textsegment.errors import InputError
from textsegment.training.sampling.case import TrainingCase, load_case
from textsegment.training.settings import Size

_PROMPTS_OF_ONE_PASS = 32


class TrainingCases:
    """Training cases of several sets, drawn as in SAT's recipe.

    The weight of a scan is 1/√(number of scans of its data set), times its weight in the set, times what its
    number of labels and their extent ask for: a whole body needs more crops than a slab.

    Args:
        sets: Prepared sets; only their training split is used.
        crop: Size of a patch in voxels.
        cache_bytes: Memory for cases that have been read.

    Raises:
        InputError: There is no case to train on.
    """

    def __init__(self, sets: Sequence[DataSet], crop: Size, cache_bytes: int) -> None:
        self._cases: list[LabelledCase] = []
        weights: list[float] = []
        for data in sets:
            for case in data.of_split("train"):
                self._cases.append(case)
                weights.append(data.weight(case) * repeats(case, crop))
        if not self._cases:
            raise InputError(
                "The sets have no case for training.", "Prepare them with a smaller validation split."
            )
        counts: dict[str, int] = {}
        for case in self._cases:
            counts[case.dataset] = counts.get(case.dataset, 0) + 1
        balanced = [w / math.sqrt(counts[c.dataset]) for w, c in zip(weights, self._cases, strict=True)]
        self.odds: NDArray[np.float64] = np.array(balanced) / sum(balanced)
        self._cache: OrderedDict[int, TrainingCase] = OrderedDict()
        self._cache_bytes = cache_bytes
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._cases)

    def draw(self, random: np.random.Generator) -> TrainingCase:
        """Draw a case."""
        return self.get(int(random.choice(len(self._cases), p=self.odds)))

    def get(self, index: int) -> TrainingCase:
        """Return a case, read from disk unless it is in memory."""
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        case = load_case(self._cases[index])
        self._cache[index] = case
        self.held_bytes += case.nbytes
        while self.held_bytes > self._cache_bytes and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self.held_bytes -= oldest.nbytes
        return case


def repeats(case: LabelledCase, crop: Size) -> int:
    """Return how often a scan is drawn relative to one that fits into a crop and has 32 labels or fewer."""
    box = box_of(case.record.roi_y1x1z1_y2x2z2)
    extent = prod(max(1.0, n / c) for n, c in zip(box.shape, crop, strict=True)) if box else 1.0
    return max(1, round(max(1.0, len(case.structures) / _PROMPTS_OF_ONE_PASS) * extent))
