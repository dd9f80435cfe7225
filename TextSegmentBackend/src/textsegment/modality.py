"""Image modalities: their codes, and how to guess one that is not stated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import ModalityError

MODALITIES = ("CT", "MR", "PT", "US")
"""DICOM codes (PS3.3 C.7.3.1.1.1) of the accepted modalities."""

_ALIASES = {"MRI": "MR", "PET": "PT"}
# In Hounsfield units fat is around -100 and air is -1000; other images have hardly any voxels that low.
_FAT_HU = -80.0
_LEAST_FAT_OR_AIR = 0.005
# Values that scanners and programs use for padding around a CT.
_PADDING_HU = (-1000.0, -1024.0, -2000.0, -2048.0, -3024.0)
# Only metal is denser than this, and it makes up a small part of any body.
_DENSEST_HU = 6000.0
_DENSE_PERCENTILE = 99.0
_SAMPLES = 500_000
_WORDS = {
    "CT": r"ct|cta|cect|ncct|ldct|hrct|cbct",
    "MR": r"mr|mri|t1|t1w|t2|t2w|flair|dwi|adc|mprage|swi|t1c|t1ce|dixon|vibe",
    "PT": r"pet|pt|suv|fdg|psma",
}


class ModalitySource(str, Enum):
    """Evidence for the modality of an image."""

    HEADER = "header"
    """The DICOM header."""
    UNIT = "unit"
    """The unit of the voxels."""
    NAME = "name"
    """The name of the image; this is a guess."""
    VALUES = "values"
    """The voxel values; this is a guess."""


@dataclass(frozen=True)
class ModalityGuess:
    """A modality together with the evidence for it.

    Attributes:
        code: DICOM code of the modality.
        source: Evidence for the modality.
    """

    code: str
    source: ModalitySource

    @property
    def is_certain(self) -> bool:
        """Whether the modality was stated rather than guessed."""
        return self.source in (ModalitySource.HEADER, ModalitySource.UNIT)


def modality_code(text: str) -> str:
    """Return the DICOM code for a modality in common spelling.

    Raises:
        ModalityError: The text is not CT, MR, PT, US or a known synonym.

    Example:
        >>> modality_code("mri"), modality_code("PET")
        ('MR', 'PT')
    """
    code = text.strip().upper()
    code = _ALIASES.get(code, code)
    if code not in MODALITIES:
        raise ModalityError("The modality is not known.", f"Use one of {', '.join(MODALITIES)}.")
    return code


def guess_modality(voxels: NDArray[Any], name: str = "") -> ModalityGuess:
    """Guess the modality of an image from its voxel values and name.

    Values that look like Hounsfield units outweigh a name that suggests another modality.

    Args:
        voxels: Three-dimensional array with axes in any order; NaN and infinite values are ignored.
        name: Name of the image, such as ``CTChest`` or ``sub-01_T1w.nii.gz``; may be empty.

    Example:
        >>> guess_modality(np.linspace(-1000, 1000, 1000).reshape(10, 10, 10)).code
        'CT'
        >>> guess = guess_modality(np.linspace(0, 1000, 1000).reshape(10, 10, 10), "FDG_SUV")
        >>> guess.code, guess.source.value
        ('PT', 'name')
    """
    if _looks_like_hounsfield_units(voxels):
        said_too = _modality_in(name) == "CT"
        return ModalityGuess("CT", ModalitySource.NAME if said_too else ModalitySource.VALUES)
    if named := _modality_in(name):
        return ModalityGuess(named, ModalitySource.NAME)
    return ModalityGuess("MR", ModalitySource.VALUES)


def _looks_like_hounsfield_units(voxels: NDArray[Any]) -> bool:
    step = max(1, round((voxels.size / _SAMPLES) ** (1 / 3)))
    sample = np.asarray(voxels[::step, ::step, ::step], dtype=np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0 or np.percentile(sample, _DENSE_PERCENTILE) >= _DENSEST_HU:
        return False
    has_fat_or_air = float(np.mean(sample < _FAT_HU)) >= _LEAST_FAT_OR_AIR
    return has_fat_or_air or float(sample.min()) in _PADDING_HU


def _modality_in(name: str) -> str:
    found = {code for code, words in _WORDS.items() if _has_word(name, words)}
    return found.pop() if len(found) == 1 else ""


def _has_word(name: str, words: str) -> bool:
    """Whether a name contains one of these words: "ct chest", "CT_7" or "CTChest", but not "doctor"."""
    word = rf"(?<![A-Za-z])(?i:{words})(?![A-Za-z])"
    before_another = rf"(?<![A-Za-z])(?:{words.upper()})(?=[A-Z][a-z])"
    return re.search(rf"{word}|{before_another}", name) is not None
