"""Normalisation of intensities as in SAT's training, on the cropped canonical image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import VolumeInvalidError

CT_WINDOW_HU = (-500.0, 1000.0)
PERCENTILES = (0.5, 99.5)


def normalize(voxels: NDArray[Any], modality: str) -> NDArray[np.float32]:
    """Clip intensities to the range of the modality, and normalise them to mean 0 and standard deviation 1.

    Args:
        voxels: Cropped canonical image in raw units.
        modality: DICOM code: CT is clipped to −500…1000 HU, any other to its 0.5 and 99.5 percentiles.

    Returns:
        float32 array of the same shape.

    Raises:
        VolumeInvalidError: All clipped voxels have the same value.
    """
    if modality == "CT":
        low, high = CT_WINDOW_HU
    else:
        low, high = (float(v) for v in np.percentile(voxels, PERCENTILES))
    clipped: NDArray[np.float32] = np.clip(voxels, low, high, dtype=np.float32, casting="unsafe")
    # Sum in double, slab by slab: float32 loses precision on large images, a copy in double costs memory.
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
