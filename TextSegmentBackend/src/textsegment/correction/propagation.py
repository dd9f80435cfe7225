"""Carries edits to the rest of an image by shape alone, with numpy: what needs neither model nor image.

In each slice that was drawn, the signed distance to the outline changes. Between two drawn slices the change
is interpolated, beyond them it fades. A point or a stroke moves the surface next to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from textsegment.correction.distance import distance, signed_distance

LIMIT_MM = 36.0
"""Distances from an outline beyond this are all alike."""
# Beyond the last drawn slice a change fades by 1/e over this distance; between two slices, over twice of it.
_FADING_MM = 9.0
# Drawn slices that are this close are interpolated whatever lies between them.
_CLOSE_MM = 18.0
# A structure without an old mask gets so much smaller per millimetre beyond its last drawn slice.
_TAPER = 1.5
# A point or stroke moves the surface within about this distance, to this far beyond itself.
_STROKE_MM = 8.0
_BEYOND_STROKE_MM = 3.0


def propagate(
    base: NDArray[np.bool_],
    known: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    spacing: Sequence[float],
) -> NDArray[np.float32]:
    """Carry edits to all voxels of an array.

    Args:
        base: The mask before the edits, as a boolean array ``[i, j, k]``; may be empty.
        known: Voxels of which a person has said whether they belong to the structure.
        inside: Those known voxels that belong to it.
        spacing: Voxel size along (i, j, k), in millimetres.

    Returns:
        float32 array of signed distances in millimetres: positive inside the new mask.

    Example:
        A disc is drawn in two slices; between them it is interpolated:

        >>> known, inside = np.zeros((2, 8, 8, 5), dtype=bool)
        >>> known[:, :, [0, 4]] = True
        >>> inside[2:6, 2:6, [0, 4]] = True
        >>> new = propagate(np.zeros_like(known), known, inside, (1, 1, 3))
        >>> (new > 0).sum(axis=(0, 1)).tolist()
        [16, 16, 16, 16, 16]
    """
    shapes, weights = [], []
    in_slices = np.zeros_like(known)
    for axis in range(3):
        numbers = drawn_slices(known, axis)
        if len(numbers):
            shape, gap = _between_slices(base, inside, axis, numbers, spacing)
            shapes.append(shape)
            weights.append(1 / (gap + 0.1 * spacing[axis]) ** 2)
            np.moveaxis(in_slices, axis, 0)[numbers] = True
    found = signed_distance(base, spacing, LIMIT_MM) if not shapes else shapes[0]
    if len(shapes) > 1:
        found = np.average(shapes, axis=0, weights=weights).astype(np.float32)
    strokes = known & ~in_slices
    for wrong, sign in ((strokes & inside & (found <= 0), 1), (strokes & ~inside & (found > 0), -1)):
        if wrong.any():
            found = _pulled(found, wrong, sign, spacing)
    return np.where(known, np.where(inside, np.maximum(found, 0.5), np.minimum(found, -0.5)), found)


def drawn_slices(known: NDArray[np.bool_], axis: int) -> NDArray[np.intp]:
    """Return the indices of the slices across an axis in which every voxel is known."""
    others = tuple(a for a in range(3) if a != axis)
    return np.flatnonzero(known.all(axis=others))


def _between_slices(
    base: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    axis: int,
    numbers: NDArray[np.intp],
    spacing: Sequence[float],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Carry drawn slices along an axis.

    Returns:
        Signed distances in the slices, and the distance of each voxel from the nearest drawn slice.
    """
    plane = tuple(a for a in range(3) if a != axis)
    old = np.moveaxis(signed_distance(base, spacing, LIMIT_MM, plane), axis, 0)
    taken = np.moveaxis(inside, axis, 0)[numbers]
    drawn = np.moveaxis(signed_distance(np.moveaxis(taken, 0, axis), spacing, LIMIT_MM, plane), axis, 0)
    has_base = bool(base.any())
    # How far outside nobody knows who has erased a slice: as deep as the old mask was inside.
    erased = ~taken.any(axis=(1, 2))
    drawn[erased] = -np.abs(old[numbers[erased]])
    new = np.empty_like(old)
    gaps = np.empty(len(old), dtype=np.float32)
    for n in range(len(old)):
        after = int(np.searchsorted(numbers, n))
        before = after if after < len(numbers) and numbers[after] == n else after - 1
        to_before = (n - numbers[before]) * spacing[axis] if before >= 0 else np.inf
        to_after = (numbers[after] - n) * spacing[axis] if after < len(numbers) else np.inf
        gaps[n] = min(to_before, to_after)
        if np.isinf(to_before) or np.isinf(to_after):
            nearest = drawn[after] if np.isinf(to_before) else drawn[before]
            fading = np.float32(np.exp(-gaps[n] / _FADING_MM))
            tapered = nearest - np.float32(_TAPER) * gaps[n]
            new[n] = old[n] + (nearest - old[n]) * fading if has_base else tapered
            continue
        share = 0.0 if before == after else to_before / (to_before + to_after)
        one, other = (1 - share, share)
        if has_base and to_before + to_after > _CLOSE_MM:
            one *= np.exp(-to_before / (2 * _FADING_MM))
            other *= np.exp(-to_after / (2 * _FADING_MM))
            one, other = np.float32(one), np.float32(other)
            new[n] = old[n] + one * (drawn[before] - old[n]) + other * (drawn[after] - old[n])
        else:
            new[n] = np.float32(one) * drawn[before] + np.float32(other) * drawn[after]
    distances = np.broadcast_to(gaps.reshape([-1 if a == axis else 1 for a in range(3)]), base.shape)
    return np.moveaxis(new, 0, axis), distances


def _pulled(
    found: NDArray[np.float32], wrong: NDArray[np.bool_], sign: int, spacing: Sequence[float]
) -> NDArray[np.float32]:
    """Move the surface so that it has wrong voxels on its right side, and less so the voxels around them."""
    away = distance(wrong, spacing, 4 * _STROKE_MM)
    missing = float(np.abs(found[wrong]).mean()) + _BEYOND_STROKE_MM
    fading = np.exp(-np.square(away) / np.float32(2 * _STROKE_MM**2))
    return np.asarray(found + np.float32(sign * missing) * fading, dtype=np.float32)
