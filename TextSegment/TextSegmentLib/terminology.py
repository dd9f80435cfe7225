"""How a structure looks in Slicer: colour, terminology entry, identifier."""

from __future__ import annotations

import colorsys
import hashlib
import re
from dataclasses import dataclass

from textsegment.vocabulary.structures import find_structure

_UNKNOWN = (
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^85756007^Tissue~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)


@dataclass(frozen=True)
class Look:
    """What a segment of a structure gets.

    Attributes:
        identifier: To make the identifier of the segment from.
        color: Red, green, blue, 0 to 1.
        terminology: Value of the tag ``TerminologyEntry``, without the ``|`` that closes it in files: Slicer
            would read that as the name of the last modifier.
    """

    identifier: str
    color: tuple[float, float, float]
    terminology: str


def look_of(structure: str) -> Look:
    """Return what the vocabulary says of a structure, else a stable colour and the code for tissue."""
    known = find_structure(structure)
    if known is not None:
        red, green, blue = known.color
        return Look(known.id, (red / 255, green / 255, blue / 255), known.terminology.rstrip("|"))
    digest = hashlib.sha256(structure.encode()).digest()
    color = colorsys.hsv_to_rgb(digest[0] / 256, 0.5 + digest[1] / 640, 0.75 + digest[2] / 1024)
    return Look(re.sub(r"\W+", "_", structure), color, _UNKNOWN)
