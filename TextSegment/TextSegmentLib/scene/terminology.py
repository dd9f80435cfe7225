"""How a structure looks in Slicer: colour, terminology entry, identifier."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textsegment.vocabulary.appearance import appearance_of
from textsegment.vocabulary.structures import find_structure


@dataclass(frozen=True)
class Look:
    """What a segment of a structure gets.

    Attributes:
        identifier: To make the identifier of the segment from.
        color: Red, green, blue, 0 to 1.
        terminology: Value of the tag ``TerminologyEntry``.
    """

    identifier: str
    color: tuple[float, float, float]
    terminology: str


def look_of(structure: str) -> Look:
    """Return what the vocabulary says of a structure, else a stable colour and the code for tissue."""
    known = find_structure(structure)
    appearance = appearance_of(structure)
    red, green, blue = (value / 255 for value in appearance.color)
    identifier = known.id if known else re.sub(r"\W+", "_", structure)
    return Look(identifier, (red, green, blue), appearance.terminology)
