"""What each step learns from: a patch and what is asked for in it, prepared ahead by worker processes.

Every draw is a function of seed, step and place in the batch alone, so that neither the number of workers nor
an interruption changes what is learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from textsegment.training.sampling.cases import TrainingCases
from textsegment.training.sampling.choice import choose
from textsegment.training.sampling.patches import Patch, PatchSource
from textsegment.training.settings import Size, TrainingSettings

_LOSS = 1
"""Stream of random numbers for the loss; the patch has stream 0."""


class Draw(NamedTuple):
    """One place of a batch.

    Attributes:
        place: Its number in the batch.
        patch: A patch.
        structures: Structures to ask for in it.
    """

    place: int
    patch: Patch
    structures: list[str]


class Draws(Dataset[Draw]):
    """All draws of a run; the index of a draw is step × batch + place.

    Args:
        settings: Recipe.
        size: Size of a patch in use.
        cases: Cases to train on.
        replay: Cases to train on beside, or None.
    """

    def __init__(
        self, settings: TrainingSettings, size: Size, cases: TrainingCases, replay: TrainingCases | None
    ) -> None:
        self._settings, self._cases, self._replay = settings, cases, replay
        self._patches = PatchSource(settings, size)

    def __len__(self) -> int:
        return self._settings.steps * self._settings.batch

    def __getitem__(self, index: int) -> Draw:
        """Return a draw."""
        step, place = divmod(index, self._settings.batch)
        random = random_of(self._settings, step, place)
        is_replay = self._replay is not None and random.random() < self._settings.replay
        case = (self._replay if is_replay and self._replay else self._cases).draw(random)
        patch = self._patches.cut(case, random)
        return Draw(place, patch, choose(patch, self._settings.prompts, self._settings.negatives, random))

    def ahead(self, step: int, places: Sequence[int]) -> Iterator[Draw]:
        """Yield the draws of some places of each batch, from a step on, prepared ahead by workers."""
        workers = self._settings.workers
        loader: DataLoader[Draw] = DataLoader(
            self,
            batch_size=None,
            sampler=_Places(self._settings, step, places),
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
        )
        return iter(loader)


def random_of(settings: TrainingSettings, step: int, place: int) -> np.random.Generator:
    """Return the random numbers of a patch."""
    return np.random.default_rng((settings.seed, step, place))


def random_of_loss(settings: TrainingSettings, step: int, place: int) -> np.random.Generator:
    """Return the random numbers of the loss of a patch."""
    return np.random.default_rng((settings.seed, step, place, _LOSS))


@dataclass(frozen=True)
class _Places(Sampler[int]):
    settings: TrainingSettings
    step: int
    places: Sequence[int]

    def __iter__(self) -> Iterator[int]:
        for step in range(self.step, self.settings.steps):
            yield from (step * self.settings.batch + place for place in self.places)

    def __len__(self) -> int:
        return (self.settings.steps - self.step) * len(self.places)
