"""Intensities as SAT was trained with, on the cropped canonical image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import VolumeInvalidError

CT_WINDOW_HU = (-500.0, 1000.0)
PERCENTILES = (0.5, 99.5)


def normalize(voxels: NDArray[Any], modality: str) -> NDArray[np.float32]:
    """Clip to the modality's range, subtract the mean, divide by the standard deviation of the clipped crop.

    Args:
        voxels: The cropped canonical image in raw units.
        modality: DICOM code: CT is clipped to −500…1000 HU, all others to their 0.5 and 99.5 percentiles.

    Returns:
        float32 array of the same shape, mean 0, standard deviation 1.

    Raises:
        VolumeInvalidError: Nothing is left but one value.
    """
    if modality == "CT":
        low, high = CT_WINDOW_HU
    else:
        low, high = (float(v) for v in np.percentile(voxels, PERCENTILES))
    clipped: NDArray[np.float32] = np.clip(voxels, low, high, dtype=np.float32, casting="unsafe")
    # Sums in double, slab by slab: float32 loses digits on a large image, a copy in double costs memory.
    mean = float(clipped.mean(dtype=np.float64))
    clipped -= np.float32(mean)
    deviation = float(np.sqrt(np.mean([np.square(slab, dtype=np.float64).mean() for slab in clipped])))
    if deviation <= 1e-6 * abs(mean):
        raise VolumeInvalidError(
            "After clipping to the range of the modality all voxels have the same value.",
            "Check the modality and the unit of the voxels (HU for CT).",
        )
    clipped /= np.float32(deviation)
    return clipped
