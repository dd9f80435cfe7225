"""Rules by which masks are tidied: numbers for each structure, from its anatomy or from a site's template."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textsegment.errors import SettingsError
from textsegment.vocabulary.anatomy import Form, anatomy_of

# Measured on labelled scans: docs/tidy.md.
_LEAST_SHARE = {Form.SOLID: 0.2, Form.SEVERAL: 0.05, Form.SCATTERED: 0.0}
_BROADEST_SMOOTHING_MM = 20.0
_LARGEST_SPECK_ML = 1000.0


@dataclass(frozen=True)
class TidyRule:
    """How the mask of one structure is tidied. The default changes nothing.

    Attributes:
        least_share: Connected parts smaller than this fraction of the largest one are removed, 0 to 1.
        least_ml: Connected parts smaller than this are removed, in millilitres; the largest one stays.
        smooth_mm: Standard deviation of the smoothing of the surface in millimetres; 0 for none.
        side: ``left`` or ``right`` if voxels on the other side of the midline are removed; else None.
        union: Structures whose union the mask becomes where it does not agree with it; may be empty.

    Raises:
        SettingsError: A number is out of range, or the side is no side.

    Example:
        >>> TidyRule(least_ml=0.5, smooth_mm=1).changes
        True
    """

    least_share: float = 0.0
    least_ml: float = 0.0
    smooth_mm: float = 0.0
    side: str | None = None
    union: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require("The smallest share of a part", self.least_share, 1.0)
        _require("The smallest part, in millilitres,", self.least_ml, _LARGEST_SPECK_ML)
        _require("The smoothing, in millimetres,", self.smooth_mm, _BROADEST_SMOOTHING_MM)
        if self.side not in (None, "left", "right"):
            raise SettingsError("A side is left or right.", "Leave it out for a structure on both sides.")

    @property
    def changes(self) -> bool:
        """Whether the rule may change a mask at all."""
        return self != TidyRule()


def rule_for(structure: str, modality: str | None = None) -> TidyRule:
    """Return the rule that follows from the anatomy of a structure; nothing is done to an unknown one.

    Args:
        structure: Name of the structure.
        modality: DICOM modality code, which decides what the parts of a whole are; None for all of them.

    Example:
        >>> rule_for("left kidney")
        TidyRule(least_share=0.2, least_ml=0.0, smooth_mm=0.0, side='left', union=())
        >>> rule_for("lung").least_share, rule_for("lung").union
        (0.05, ('left lung', 'right lung'))
        >>> rule_for("implant").changes
        False
    """
    anatomy = anatomy_of(structure)
    union = anatomy.parts if modality is None else anatomy.parts_in(modality)
    return TidyRule(_LEAST_SHARE[anatomy.form], side=anatomy.side, union=union)


def _require(what: str, value: float, most: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= most):
        raise SettingsError(f"{what} is a number from 0 to {most:g}.", "Mend the rule for this structure.")
