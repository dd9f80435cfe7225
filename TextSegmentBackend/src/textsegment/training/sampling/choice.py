"""What is asked for in a patch: structures that are there, and some that are not."""

from __future__ import annotations

import numpy as np

from textsegment.training.sampling.patches import Patch


def choose(patch: Patch, most: int, negatives: float, random: np.random.Generator) -> list[str]:
    """Choose the structures to ask for in a patch: those that are there, then some that are not.

    Args:
        patch: The patch.
        most: Largest number of structures that are there; of a patch without any, of all.
        negatives: Number of absent structures relative to those that are there.
        random: Random number generator.
    """
    there = patch.present()
    missing = [name for name in (*patch.case.structures, *patch.case.absent) if name not in there]
    chosen = _some(there, most, random)
    count = max(1, round(negatives * len(chosen))) if there else most
    return [*chosen, *_some(missing, count, random)]


def _some(names: list[str], most: int, random: np.random.Generator) -> list[str]:
    if len(names) <= most:
        return names
    return [names[index] for index in sorted(random.choice(len(names), most, replace=False))]
