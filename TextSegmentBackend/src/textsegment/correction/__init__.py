"""Corrections: what a person has drawn into a mask, and how it is carried to the rest of the image."""

from textsegment.correction.edit import Edit
from textsegment.correction.request import Correction

__all__ = ["Correction", "Edit"]
