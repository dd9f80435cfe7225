"""Limits of the measurements by which masks are judged; they hold for all weights (docs/doubt.md)."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """Limits of one measurement.

    Attributes:
        notable: Beyond it, the measurement is a reason; two reasons decide together.
        decisive: Beyond it, the measurement decides by itself.
    """

    notable: float
    decisive: float


class Limits(NamedTuple):
    """Limits of all measurements that are the same for every structure.

    They were chosen on labelled scans so that hardly any good mask lies beyond one that decides. How unsure a
    model may be depends on its weights, and stands in their calibration.

    Attributes:
        height_mm: Distance above or below the usual place, beyond the spread of the structure.
        wrong_side: Share on the other side of the body.
        second_part: Second part of a solid structure, as a fraction of the first.
        claimed: Share that other structures claim.
        whole: Agreement of a whole with its parts, which is odd if it is low.
        shift: Agreement with a second computation, which is odd if it is low.
    """

    height_mm: Limit = Limit(130.0, 200.0)
    wrong_side: Limit = Limit(0.25, 0.5)
    second_part: Limit = Limit(0.35, 0.6)
    claimed: Limit = Limit(0.25, 0.4)
    whole: Limit = Limit(0.75, 0.7)
    shift: Limit = Limit(0.8, 0.7)


LIMITS = Limits()
CUT_OFF_MM = 50.0
"""How much farther from its usual place the centre of what is cut off by the border may lie."""
FAR_TOO_LARGE = 1.5
"""Volume beyond the range of adults decides from so many times on; a mask that is right may spill over."""
SPECK = 10.0
"""What is so many times smaller than in any adult is a speck, and not a small organ."""
ENOUGH_REASONS = 2
"""So many reasons decide together."""
UNSURE_SHARE = 0.5
"""Where there is no calibration, a reason is given for masks of which the model is unsure by so much."""
