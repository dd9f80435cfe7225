"""The sample scan, and what is known about the anatomy in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from textsegment.files.reading import read_volume

_LABELS = "data/sample-chest-labels.nii.gz"
_NUMBERS = {"left lung": 1, "right lung": 2, "vertebrae": 4, "liver": 5, "heart": 6, "aorta": 7}


@dataclass(frozen=True)
class Expected:
    """What a sensible mask of a structure looks like in the sample scan; the ranges are wide.

    Attributes:
        structure: Name of the structure.
        volume_ml: Lowest and highest volume in millilitres; the lowest is 0 for what is not in the scan.
        intensity_hu: Lowest and highest mean of the image inside the mask, in Hounsfield units.
    """

    structure: str
    volume_ml: tuple[float, float]
    intensity_hu: tuple[float, float]

    @property
    def is_present(self) -> bool:
        """Whether the structure is in the scan at all."""
        return self.volume_ml[0] > 0


_ANY_HU = (-3000.0, 3000.0)
_SOFT_HU = (-30.0, 200.0)
EXPECTED = (
    Expected("left lung", (1000, 4500), (-980, -600)),
    Expected("right lung", (1000, 4500), (-980, -600)),
    Expected("trachea", (4, 150), (-1024, -500)),
    Expected("heart", (300, 1600), _SOFT_HU),
    Expected("aorta", (60, 700), _SOFT_HU),
    Expected("liver", (500, 3500), _SOFT_HU),
    Expected("vertebrae", (200, 1600), (60, 700)),
    Expected("spinal cord", (4, 200), _SOFT_HU),
    Expected("urinary bladder", (0, 40), _ANY_HU),
    Expected("left gluteus maximus", (0, 40), _ANY_HU),
)
"""Eight structures that 3D Slicer's sample chest CT shows (without contrast medium), and two it does not."""


def drawn_masks() -> Mapping[str, NDArray[np.bool_]]:
    """Return masks of six large structures on the grid of the sample scan, drawn by our own hands."""
    with resources.as_file(resources.files("textsegment.model").joinpath(_LABELS)) as path:
        labels = read_volume(path, modality="CT").voxels
    return {name: np.asarray(labels == number) for name, number in _NUMBERS.items()}
