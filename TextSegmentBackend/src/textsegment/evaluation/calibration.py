"""Calibration of a model: how unsure it is of masks that are good, on labelled scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from textsegment.doubt import Calibration
from textsegment.errors import InputError
from textsegment.evaluation.run import EvaluationCase
from textsegment.segmenter import Segmenter
from textsegment.volume import Volume

FEWEST_SCANS = 10
"""Number of labelled scans with good masks from which a calibration is worth anything."""

_GOOD_DICE = 0.5
_QUANTILES = (0.95, 0.98)
# Noise of a poor scan: in Hounsfield units, and for others as a fraction of the standard deviation.
_NOISE_HU = 200.0
_NOISE = 0.35


def calibrate(
    segmenter: Segmenter,
    cases: Iterable[EvaluationCase],
    *,
    on_case: Callable[[str, int], None] = lambda sample_id, good: None,
) -> Calibration:
    """Measure the unsure share of good masks: those with a Dice of at least 0.5.

    Each scan is segmented as it is and with noise, since masks of a poor scan may be good and less sure.

    Args:
        segmenter: Model to calibrate.
        cases: Labelled scans; the model should not have been trained on them, or it is too sure of them.
        on_case: Callback after each scan, with its name and its number of good masks.

    Raises:
        InputError: Fewer than 10 scans have good masks, or a scan cannot be read.
    """
    shares: list[float] = []
    scans = 0
    offered = segmenter.info().structures
    for case in cases:
        prompts = [name for name in dict.fromkeys(offered.get(case.modality, ())) if name in case.structures]
        good = list(_good_shares(segmenter, case, prompts)) if prompts else []
        shares += good
        scans += bool(good)
        on_case(case.sample_id, len(good))
    if scans < FEWEST_SCANS:
        raise InputError(
            f"Good masks were found in {scans} scans: a calibration needs {FEWEST_SCANS}.",
            "Add labelled scans of structures that the model knows.",
        )
    low, high = (float(share) for share in np.quantile(shares, _QUANTILES))
    return Calibration(round(low, 4), round(high, 4), scans, len(shares))


def _good_shares(segmenter: Segmenter, case: EvaluationCase, prompts: Sequence[str]) -> Iterator[float]:
    volume = case.volume()
    for image in (volume, _noisy(volume)):
        for mask in segmenter.segment(image, prompts):
            known = case.known(mask.structure, volume.geometry)
            truth = case.mask(mask.structure) & known
            found = mask.full(volume.geometry.spatial_shape) & known
            total = np.count_nonzero(truth) + np.count_nonzero(found)
            if truth.any() and 2 * np.count_nonzero(truth & found) >= _GOOD_DICE * total:
                yield mask.statistics.unsure_share


def _noisy(volume: Volume) -> Volume:
    """Return the volume with noise, the same each time."""
    voxels = volume.voxels.astype(np.float32)
    strength = _NOISE_HU if volume.modality == "CT" else _NOISE * float(voxels.std())
    noise = np.random.default_rng(0).normal(0, strength, voxels.shape)
    return Volume((voxels + noise).astype(np.float32), volume.geometry, volume.modality)
