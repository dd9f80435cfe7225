"""Where a mask comes from: who made it, and of what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Maker(str, Enum):
    """Who made a mask."""

    MODEL = "model"
    """The model alone, or an operation on masks."""
    EDITED = "edited"
    """The model, and a person after it."""
    UNKNOWN = "unknown"
    """A person or another program: nobody here can tell."""


@dataclass(frozen=True)
class Origin:
    """Where a mask comes from.

    Attributes:
        maker: Who made it.
        recipe: The definition of a derived structure, such as ``Lungs = "left lung" + "right lung"``; empty
            for one that is not derived.
        union_of: The structures whose plain union a derived structure is; empty for any other.

    Example:
        >>> Origin().maker is Maker.MODEL
        True
        >>> Origin(recipe="Ring = liver - heart").is_derived
        True
    """

    maker: Maker = Maker.MODEL
    recipe: str = ""
    union_of: tuple[str, ...] = ()

    @property
    def is_derived(self) -> bool:
        """Whether it was made of other masks."""
        return bool(self.recipe)


BY_MODEL = Origin()
"""Found by the model, and not touched since."""
