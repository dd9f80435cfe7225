"""Learns from drawn slices what belongs to a structure: extremely randomised trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TREES = 40
_SMALLEST_LEAF = 5
# Cells to learn from: drawn ones, and as many inside as outside of the old mask. These are many, so that the
# trees can tell them apart, but weigh little: together this much of the drawn ones.
_MOST_DRAWN = 6000
_MOST_OLD = 2000
_WEIGHT_OF_OLD = 0.05


def learn_and_decide(
    columns: NDArray[np.float32],
    known: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    old: NDArray[np.bool_] | None,
    trust: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    *,
    evenly: bool = False,
) -> NDArray[np.float32]:
    """Return the probability of each cell to belong to the structure.

    Args:
        columns: (cells, n): what to look at.
        known: (cells): whether a cell was drawn.
        inside: (cells): whether it belongs to the structure, where it was drawn.
        old: (cells): whether it belongs to the old mask; None if there is none.
        trust: (cells): how far the old mask is believed, from 0 to 1.
        wanted: (cells): which cells to decide about; others get 0.
        evenly: Whether inside and outside weigh the same, however many cells they have.

    Returns:
        float32 (cells); the drawn cells have their truth.
    """
    # Not at the top: it takes a second to load, which an engine that corrects nothing need not wait for.
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(0)
    rows = _some(np.flatnonzero(known), _MOST_DRAWN, rng)
    truth = inside[rows]
    weight = _balanced(truth, 1.0 if evenly else 0.5)
    weight /= weight.sum()
    if old is not None:
        more, its_weight = _of_old(old, trust * (wanted & ~known), rng)
        rows = np.concatenate([rows, more])
        truth = np.concatenate([truth, old[more]])
        weight = np.concatenate([weight, its_weight * _WEIGHT_OF_OLD])
    found = np.zeros(len(columns), dtype=np.float32)
    if truth.all() or not truth.any():
        found[wanted] = truth[0]
    else:
        trees = ExtraTreesClassifier(_TREES, min_samples_leaf=_SMALLEST_LEAF, n_jobs=1, random_state=0)
        trees.fit(columns[rows], truth, sample_weight=weight / weight.max())
        ask = wanted & ~known
        if ask.any():
            found[ask] = trees.predict_proba(columns[ask])[:, 1]
    return np.where(known, inside, found).astype(np.float32)


def _of_old(
    old: NDArray[np.bool_], trust: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return cells inside and outside of the old mask to learn from, and their weights, whose sum is 1.

    They are as many on both sides, but weigh as much as all the cells of their side do.
    """
    sides = [np.flatnonzero((trust > 0) & side) for side in (old, ~old)]
    chosen = [_some(side, _MOST_OLD, rng) for side in sides]
    weights = [
        trust[some] * (len(side) / max(len(some), 1)) for side, some in zip(sides, chosen, strict=True)
    ]
    weight = np.concatenate(weights).astype(np.float64)
    return np.concatenate(chosen), weight / max(weight.sum(), 1e-9)


def _some(numbers: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return numbers if len(numbers) <= most else np.sort(rng.choice(numbers, most, replace=False))


def _balanced(truth: NDArray[np.bool_], power: float) -> NDArray[np.float64]:
    """Return weights that lift the rarer class, by a power of its rarity."""
    share = min(max(float(truth.mean()), 1e-3), 1 - 1e-3)
    return np.asarray(np.where(truth, 0.5 / share, 0.5 / (1 - share)) ** power)
