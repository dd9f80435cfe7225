"""Volumes that take a while to send."""

from __future__ import annotations

import numpy as np

from textsegment.geometry import Geometry
from textsegment.volume import Volume


def long_volume(megabytes: int = 3) -> Volume:
    """Noise, so that it does not shrink."""
    shape = (megabytes, 512, 512)
    voxels = np.random.default_rng(1).integers(0, 2**31, shape, dtype=np.int32)
    return Volume(voxels, Geometry(shape, np.diag([5.0, 1, 1, 1])), "CT")
