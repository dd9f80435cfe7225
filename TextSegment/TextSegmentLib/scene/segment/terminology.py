"""Appearance of a structure in Slicer: color, terminology entry, identifier."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textsegment.vocabulary.appearance import appearance_of
from textsegment.vocabulary.structures import find_structure


@dataclass(frozen=True)
class Look:
    """Appearance of a structure's segment.

    Attributes:
        identifier: Base of the segment's identifier.
        color: Red, green, blue, each 0 to 1.
        terminology: Value of the tag ``TerminologyEntry``.
    """

    identifier: str
    color: tuple[float, float, float]
    terminology: str


def look_of(structure: str) -> Look:
    """Return a structure's appearance from the vocabulary, else a stable color and the code for tissue."""
    known = find_structure(structure)
    appearance = appearance_of(structure)
    red, green, blue = (value / 255 for value in appearance.color)
    identifier = known.id if known else re.sub(r"\W+", "_", structure)
    return Look(identifier, (red, green, blue), appearance.terminology)
