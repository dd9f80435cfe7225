"""Origin of a mask: who made it, and from which structures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Maker(str, Enum):
    """Who made a mask."""

    MODEL = "model"
    """The model alone, or an operation on masks."""
    EDITED = "edited"
    """The model, with later edits by a person."""
    UNKNOWN = "unknown"
    """A person or another program; which of them is not known."""


@dataclass(frozen=True)
class Origin:
    """Origin of a mask.

    Attributes:
        maker: Who made the mask.
        recipe: Definition of a derived structure, such as ``Lungs = "left lung" + "right lung"``; empty if
            the structure is not derived.
        union_of: Structures whose union the mask is; empty if it is anything but a plain union.
        tidied: Whether a mask was changed by rules of anatomy (``derive.tidy``) or of a template.

    Example:
        >>> Origin().maker is Maker.MODEL
        True
        >>> Origin(recipe="Ring = liver - heart").is_derived
        True
    """

    maker: Maker = Maker.MODEL
    recipe: str = ""
    union_of: tuple[str, ...] = ()
    tidied: bool = False

    @property
    def is_derived(self) -> bool:
        """Whether the mask was derived from other masks."""
        return bool(self.recipe)


BY_MODEL = Origin()
"""Origin of a mask that the model made and nobody has edited."""
