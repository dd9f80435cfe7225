"""Colour and terminology of a structure, shared by everything that writes or draws it."""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass

from textsegment.vocabulary.structures import REGION_LIST, STRUCTURE_LIST, Code, find_structure
from textsegment.vocabulary.template import USUAL_STYLE, RegionStyle

TISSUE = Code("SCT", "85756007", "Tissue")
"""Code used for a structure that is not in the vocabulary."""

_UNKNOWN_TERMINOLOGY = f"{STRUCTURE_LIST}~{TISSUE}~{TISSUE}~^^~{REGION_LIST}~^^~^^"


@dataclass(frozen=True)
class Appearance:
    """Display colour and coded meaning of a structure.

    Attributes:
        color: Red, green and blue, each 0 to 255.
        terminology: ``TerminologyEntry`` of 3D Slicer, without the ``|`` that terminates it in a file.
    """

    color: tuple[int, int, int]
    terminology: str


def appearance_of(structure: str) -> Appearance:
    """Return the appearance of a structure; unknown names get a stable colour and the code for tissue."""
    known = find_structure(structure)
    if known is not None:
        return Appearance(known.color, known.terminology.rstrip("|"))
    return Appearance(_color_of_name(structure), _UNKNOWN_TERMINOLOGY)


def color_of(structure: str, style: RegionStyle = USUAL_STYLE) -> tuple[int, int, int]:
    """Return the colour of a structure: that of a style, or else the usual one."""
    return style.color or appearance_of(structure).color


def _color_of_name(structure: str) -> tuple[int, int, int]:
    """Derive a bright colour from a name; it is the same on every computer and in every run."""
    digest = hashlib.sha256(structure.encode()).digest()
    red, green, blue = colorsys.hsv_to_rgb(digest[0] / 256, 0.5 + digest[1] / 640, 0.75 + digest[2] / 1024)
    return (round(red * 255), round(green * 255), round(blue * 255))
