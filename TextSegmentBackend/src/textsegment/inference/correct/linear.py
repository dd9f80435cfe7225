"""Learns from points and strokes: a change of the logits that is linear in the features and fades away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The change fades like a bell of this width; cells of the old mask hold it back, less so near the strokes.
_FADING_MM = 9.0
_HELD_FROM_MM = 10.0
_MOST_HELD = 5000
_RIDGE = 3e-3
_STEPS = 20


def fitted_logits(
    columns: NDArray[np.float32],
    logits: NDArray[np.float32],
    known: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    away_mm: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the logits of all cells after learning from a few.

    Args:
        columns: (cells, n), standardised: what to look at.
        logits: (cells): logits of the old mask.
        known: (cells): whether a cell was marked.
        inside: (cells): whether it belongs to the structure, where it was marked.
        away_mm: (cells): distance from the nearest marked cell.
    """
    rng = np.random.default_rng(0)
    marked = np.flatnonzero(known)
    held = rng.choice(len(known), min(_MOST_HELD, len(known)), replace=False)
    weight = 1 - np.exp(-np.square(away_mm[held]) / (2 * _HELD_FROM_MM**2))
    # The little that lies inside holds back as much as the much that lies outside.
    for side in (logits[held] > 0, logits[held] <= 0):
        weight[side] /= max(weight[side].sum(), 1e-9)
    rows = np.concatenate([marked, held])
    x = np.column_stack([columns[rows], np.ones(len(rows), dtype=np.float32)]).astype(np.float64)
    target = np.concatenate([inside[marked].astype(np.float64), _sigmoid(logits[held].astype(np.float64))])
    weights = np.concatenate([np.full(len(marked), 1 / len(marked)), weight / max(weight.sum(), 1e-9)])
    change = _logistic(x, logits[rows].astype(np.float64), target, weights / weights.sum())
    shift = columns @ change[:-1].astype(np.float32) + np.float32(change[-1])
    fading = np.exp(-np.square(away_mm) / np.float32(2 * _FADING_MM**2))
    return np.asarray(logits + shift * fading, dtype=np.float32)


def _logistic(
    x: NDArray[np.float64],
    offset: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit a logistic regression with offset by Newton's method; the last column, the bias, has no ridge."""
    ridge = np.full(x.shape[1], _RIDGE)
    ridge[-1] = 1e-6

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = offset + x @ at
        return float(weight @ (np.logaddexp(0, z) - target * z) + at @ (ridge * at) / 2), z

    found = np.zeros(x.shape[1])
    value, z = loss(found)
    for _ in range(_STEPS):
        p = _sigmoid(z)
        slope = x.T @ (weight * (p - target)) + ridge * found
        curve = (x * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ x + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curve, slope)
        length = 1.0
        while length > 1e-3:
            lower, new_z = loss(found - length * step)
            if lower <= value - 1e-4 * length * float(slope @ step):
                break
            length /= 2
        else:
            break
        gain = value - lower
        found, value, z = found - length * step, lower, new_z
        if gain < 1e-6 * abs(value):
            break
    return found


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))
