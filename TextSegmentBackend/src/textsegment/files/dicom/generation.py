"""Origin of a structure in DICOM terms, for regions and segments alike."""

from __future__ import annotations

from textsegment.origin import Maker, Origin

_GENERATION = {Maker.MODEL: "AUTOMATIC", Maker.EDITED: "SEMIAUTOMATIC", Maker.UNKNOWN: ""}


def generation_of(origin: Origin) -> str:
    """Return the value of ROI Generation Algorithm (3006,0036); empty if the maker is unknown.

    >>> generation_of(Origin())
    'AUTOMATIC'
    """
    return _GENERATION[origin.maker]
