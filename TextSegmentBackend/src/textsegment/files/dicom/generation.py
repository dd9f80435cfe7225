"""Who made a structure, as DICOM says it of regions and segments alike."""

from __future__ import annotations

from textsegment.origin import Maker, Origin

_GENERATION = {Maker.MODEL: "AUTOMATIC", Maker.EDITED: "SEMIAUTOMATIC", Maker.UNKNOWN: ""}


def generation_of(origin: Origin) -> str:
    """Return the value of ROI Generation Algorithm (3006,0036): nothing if nobody knows who made it.

    >>> generation_of(Origin())
    'AUTOMATIC'
    """
    return _GENERATION[origin.maker]
