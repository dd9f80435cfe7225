"""Plausibility checks of voxel values against the stated modality.

They depend on the numbers only, so that Slicer, the command line and the server reach the same verdict.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution

# Hounsfield units: air -1000, fat about -100, water 0, soft tissue below 100, hardly any bone above 2000.
_AIR_HU = -1024.0
_LOWEST_HU = -1500.0
_FAT_HU = -80.0
_LUNG_HU = -200.0
_BONE_HU = 700.0
_HIGHEST_HU = 6000.0
_LEAST_FAT_OR_AIR = 0.005
_MOST_BONE = 0.15
_LEAST_SOFT = 0.03
_SOFT_HU = (-150.0, 200.0)
# Negative numbers stored without their sign end up just below this.
_WRAPPED_AT = 65536.0
# No scan in Hounsfield units lacks everything darker than fat; one without it is in another unit, or cut off.
_LEAST_MINIMUM_HU = -100.0
# A window of soft tissue begins above this, with at least this fraction of the voxels at its lowest value.
_WINDOW_HU = -500.0
_LEAST_CLIPPED = 0.01
# Largest fraction of voxels that resampling leaves between padding and the rest of the image.
_MOST_SMEAR = 0.03
# A value range this narrow has been rescaled, to 0 … 1 or 0 … 255.
_NARROW = 300.0
# Padding: at least this fraction of the voxels share one value, with nothing between it and the others.
_LEAST_PADDING = 0.005
_SAMPLES = 500_000

# More distinct values than any label map has structures.
_MOST_LABELS = 4096
# Fraction of neighbours, both inside a structure, that must lie in the same one along every axis.
_SAME_STRUCTURE = 0.7
_NEIGHBOURS = 2_000_000


class Plausibility(NamedTuple):
    """Findings about the voxel values of an image.

    Attributes:
        bounds: Lowest and highest value excluding padding, or None if there is no padding.
        cautions: Cautions to show to the user.
    """

    bounds: tuple[float, float] | None = None
    cautions: tuple[Caution, ...] = ()


def examine(voxels: NDArray[Any], modality: str) -> Plausibility:
    """Check voxel values for padding, units other than Hounsfield units, and label maps.

    Args:
        voxels: Finite values ``[i, j, k]``, not all the same.
        modality: DICOM code of the stated modality.

    Example:
        >>> shifted = np.linspace(24, 2000, 8000).reshape(20, 20, 20)
        >>> examine(shifted, "CT").cautions[0].code
        'not_hounsfield_shifted'
    """
    if looks_like_labels(voxels):
        return Plausibility(None, (Caution("looks_like_labels"),))
    sample = _sampled(voxels)
    if modality == "CT" and _has_lost_signs(sample):
        low, high = _range_of(sample)
        return Plausibility(None, (Caution("not_hounsfield_wrapped", low=low, high=high),))
    bounds, inside = _without_padding(sample, float(voxels.min()), float(voxels.max()), modality)
    cautions = []
    if bounds is not None:
        share = 100 * (1 - inside.size / sample.size)
        cautions.append(Caution("padding_clipped", low=bounds[0], high=bounds[1], percent=round(share, 1)))
    caution = _about_unit(inside) if modality == "CT" else _about_modality(inside, modality)
    if caution is not None:
        cautions.append(caution)
    return Plausibility(bounds, tuple(cautions))


def looks_like_labels(voxels: NDArray[Any], *, partly: bool = False) -> bool:
    """Whether an image looks like a label map or mask: integers from 0 up, in contiguous patches.

    Args:
        voxels: Voxel values ``[i, j, k]``.
        partly: Whether this is only a part of an image, which may be empty or lie inside a single structure.

    Example:
        >>> mask = np.zeros((8, 8, 8), dtype=np.uint8)
        >>> mask[2:6, 2:6, 2:6] = 1
        >>> looks_like_labels(mask)
        True
    """
    if voxels.size == 0 or _cannot_be_labels(voxels):
        return False
    if not partly and ((voxels != 0).all() or not voxels.any()):
        return False
    # Start with the axis that is contiguous in memory: it is read fastest and rules out most scans.
    axes = sorted(range(3), key=lambda axis: abs(voxels.strides[axis]))
    if not all(_same_beside(voxels, axis) >= _SAME_STRUCTURE for axis in axes):
        return False
    sample = _thinned(voxels, _NEIGHBOURS).astype(np.float64)
    return len(np.unique(sample)) <= _MOST_LABELS and not _has_lost_signs(sample)


def _without_padding(
    sample: NDArray[np.float64], low: float, high: float, modality: str
) -> tuple[tuple[float, float] | None, NDArray[np.float64]]:
    """Separate real values from padding, a single value far outside, such as -32768 around the image."""
    others = sample[(sample > low) & (sample < high)]
    if modality == "CT":
        others = others[others >= _LOWEST_HU]
    if others.size == 0:
        return None, sample
    bottom, top = float(others.min()), float(others.max())
    width = max(top - bottom, 1.0)
    if modality == "CT":
        # Resampling smears the padding of many files: values between it and air count as padding.
        below = low < _LOWEST_HU and np.sum(sample == low) >= 0.5 * np.sum(sample < _LOWEST_HU)
        bottom = _AIR_HU
    else:
        below = bottom - low > width
    below = below and np.mean(sample == low) >= _LEAST_PADDING
    above = high - top > width and np.mean(sample == high) >= _LEAST_PADDING
    if not below and not above:
        return None, sample
    inside = sample[(sample >= bottom) | (not below)]
    return (bottom if below else low, top if above else high), inside[(inside < high) | (not above)]


def _about_unit(sample: NDArray[np.float64]) -> Caution | None:
    """Return a caution if the values are unlikely to be Hounsfield units."""
    low, high = _range_of(sample)
    below_fat = np.mean(sample < _FAT_HU)
    above_bone = np.mean(sample > _BONE_HU)
    soft = np.mean((sample > _SOFT_HU[0]) & (sample < _SOFT_HU[1]))
    if below_fat < _LEAST_FAT_OR_AIR and high - low <= _NARROW:
        return Caution("not_hounsfield_scaled", low=low, high=high)
    if np.mean(sample < _LUNG_HU) < _MOST_SMEAR and above_bone >= _MOST_BONE and high < _HIGHEST_HU:
        return Caution("not_hounsfield_shifted", low=low, high=high)
    if below_fat >= _LEAST_FAT_OR_AIR and _is_clipped(sample):
        return Caution("not_hounsfield_clipped", low=low, high=high)
    odd = (
        below_fat < _LEAST_FAT_OR_AIR,
        above_bone >= _MOST_BONE,
        soft < _LEAST_SOFT,
        np.percentile(sample, 99) > _HIGHEST_HU,  # metal is a small part of any body
        low < _LOWEST_HU,
    )
    return Caution("not_hounsfield", low=low, high=high) if any(odd) else None


def _is_clipped(sample: NDArray[np.float64]) -> bool:
    """Whether the values of a CT begin where those of fat or lung should still be."""
    lowest = sample.min()
    at_lowest = np.mean(sample == lowest)
    return bool(lowest >= _LEAST_MINIMUM_HU or (lowest > _WINDOW_HU and at_lowest >= _LEAST_CLIPPED))


def _has_lost_signs(sample: NDArray[np.float64]) -> bool:
    """Whether negative values were stored as unsigned 16-bit integers and so lost their sign."""
    just_below = (sample > _WRAPPED_AT + 2 * _AIR_HU) & (sample < _WRAPPED_AT)
    return bool(sample.min() >= 0 and np.mean(just_below) >= _LEAST_FAT_OR_AIR and (sample < 3072).any())


def _range_of(sample: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(sample, (0.1, 99.9))
    return float(f"{low:.4g}"), float(f"{high:.4g}")


def _about_modality(sample: NDArray[np.float64], modality: str) -> Caution | None:
    """Return a caution if an image that is not stated to be a CT has air and soft tissue in HU."""
    air = np.mean((sample > _LOWEST_HU) & (sample < -700))
    soft = np.mean((sample > _SOFT_HU[0]) & (sample < _SOFT_HU[1]))
    if air < 0.1 or soft < 0.05 or np.percentile(sample, 99.9) > _HIGHEST_HU or sample.min() < -3100:
        return None
    return Caution("looks_like_ct", modality=modality)


def _cannot_be_labels(voxels: NDArray[Any]) -> bool:
    low, high = float(voxels.min()), float(voxels.max())
    if not (low >= 0 and high <= np.iinfo(np.uint16).max):  # NaN fails as well
        return True
    return voxels.dtype.kind == "f" and bool((voxels != np.rint(voxels)).any())


def _same_beside(voxels: NDArray[Any], axis: int) -> float:
    """Return the fraction of neighbours along an axis that are equal, among pairs without background."""
    along = np.moveaxis(voxels, axis, 0)
    step = max(1, round((along.size / _NEIGHBOURS) ** 0.5))
    along = along[:, ::step, ::step]
    both = (along[1:] != 0) & (along[:-1] != 0)
    count = int(both.sum())
    return 1.0 if count == 0 else float(((along[1:] == along[:-1]) & both).sum()) / count


def _sampled(voxels: NDArray[Any]) -> NDArray[np.float64]:
    return _thinned(voxels, _SAMPLES).astype(np.float64).ravel()


def _thinned(voxels: NDArray[Any], count: int) -> NDArray[Any]:
    step = max(1, round((voxels.size / count) ** (1 / 3)))
    return voxels[::step, ::step, ::step]
