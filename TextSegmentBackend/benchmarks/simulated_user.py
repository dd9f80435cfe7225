"""A simulated user who corrects masks: draws true slices, or clicks on the largest error."""

from __future__ import annotations

import importlib

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textsegment.correction import Edit
from textsegment.correction.propagation import propagate
from textsegment.geometry import Box, Geometry, closest_axes

Mask = NDArray[np.bool_]
CLICK_MM = 6.0
_MISJUDGED, _MISSED = 0.2, 0.1


def axial_axis(geometry: Geometry) -> int:
    """Return the voxel axis that runs from foot to head."""
    return closest_axes(geometry.affine).index(2)


def dice(one: Mask, other: Mask) -> float:
    """Return the Dice coefficient; 1 if both are empty."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return float(2 * np.count_nonzero(one & other) / total) if total else 1.0


def worst_slices(old: Mask, truth: Mask, count: int, axis: int, seed: int = 0) -> list[int]:
    """Return the slices with the largest errors, no two of them close to each other.

    Args:
        old: Mask to mend.
        truth: True mask.
        count: Number of slices.
        axis: Voxel axis across which they lie.
        seed: Zero for exactly these; any other number for a user who judges errors by 20 % wrongly.
    """
    others = tuple(a for a in range(3) if a != axis)
    errors = (old ^ truth).sum(axis=others).astype(float)
    if seed:
        errors *= np.random.default_rng(seed).normal(1, _MISJUDGED, len(errors)).clip(0.1)
    lies = np.flatnonzero((old | truth).any(axis=others))
    gap = max(2, int(lies[-1] - lies[0] + 1) // (2 * count))
    chosen: list[int] = []
    while len(chosen) < count and errors.max() > 0:
        worst = int(errors.argmax())
        chosen.append(worst)
        errors[max(0, worst - gap) : worst + gap + 1] = -1
    return chosen


def spread_slices(truth: Mask, count: int, axis: int, seed: int = 0) -> list[int]:
    """Return the largest slice, or several from the first to the last one of a structure.

    Args:
        truth: True mask.
        count: Number of slices.
        axis: Voxel axis across which they lie.
        seed: Zero for exactly these; any other number for a user who misses them by a few slices.
    """
    others = tuple(a for a in range(3) if a != axis)
    lies = np.flatnonzero(truth.any(axis=others))
    places = np.linspace(0, len(lies) - 1, count)
    if count == 1:
        places = np.array([float(np.searchsorted(lies, truth.sum(axis=others).argmax()))])
    if seed:
        off = len(lies) * _MISSED / count
        places += np.random.default_rng(seed).uniform(-off, off, len(places))
    return sorted({int(lies[round(place)]) for place in places.clip(0, len(lies) - 1)})


def click(current: Mask, truth: Mask, done: Mask, geometry: Geometry) -> Edit | None:
    """Return a click of a ball brush into the middle of the largest error that was not clicked on yet."""
    best: tuple[int, Mask, bool] | None = None
    for wrong, belongs in ((truth & ~current & ~done, True), (current & ~truth & ~done, False)):
        numbers, count = ndimage.label(wrong)
        if count:
            sizes = np.bincount(numbers.ravel())[1:]
            if best is None or sizes.max() > best[0]:
                best = (int(sizes.max()), numbers == sizes.argmax() + 1, belongs)
    if best is None:
        return None
    _, part, belongs = best
    box = Box.around(part)
    assert box is not None
    depth = ndimage.distance_transform_edt(np.pad(part[box.slices], 1), sampling=geometry.spacing)
    deepest = np.array(np.unravel_index(depth.argmax(), depth.shape)) - 1 + box.start
    ball = Edit.stroke(geometry.to_ras(deepest), geometry, belongs=belongs, radius_mm=CLICK_MM)
    known = ball.known & (truth[ball.box.slices] == belongs)
    return Edit(ball.box, known, known & belongs)


def filled_between(old: Mask, truth: Mask, slices: list[int], axis: int, geometry: Geometry) -> Mask:
    """Return what Slicer's *Fill between slices* makes of the drawn slices, in place of the old mask there.

    This is ITK's morphological contour interpolator if the packages ``itk`` and
    ``itk-morphologicalcontourinterpolation`` are installed, else an interpolation of signed distances.
    """
    drawn = np.zeros_like(truth)
    picked = tuple(sorted(slices) if a == axis else slice(None) for a in range(3))
    drawn[picked] = truth[picked]
    between = tuple(slice(min(slices), max(slices) + 1) if a == axis else slice(None) for a in range(3))
    found = old.copy()
    found[between] = _interpolated(drawn, picked, axis, geometry)[between]
    found[picked] = truth[picked]
    return found


def baseline_name() -> str:
    """Say which interpolation ``filled_between`` uses."""
    return "ITK's morphological contour interpolator" if _itk() else "interpolation of signed distances"


def _itk() -> object | None:
    try:
        itk = importlib.import_module("itk")
        return itk if hasattr(itk, "morphological_contour_interpolator") else None
    except ImportError:
        return None


def _interpolated(drawn: Mask, picked: tuple[object, ...], axis: int, geometry: Geometry) -> Mask:
    itk = _itk()
    if not drawn.any():
        return drawn
    if itk is None:
        known = np.zeros_like(drawn)
        known[picked] = True
        return propagate(np.zeros_like(drawn), known, drawn, geometry.spacing) > 0
    image = itk.image_from_array(np.ascontiguousarray(np.moveaxis(drawn, axis, 0)).astype(np.uint8))  # type: ignore[attr-defined]
    result = itk.array_from_image(itk.morphological_contour_interpolator(image, axis=2))  # type: ignore[attr-defined]
    return np.moveaxis(result > 0, 0, axis)
