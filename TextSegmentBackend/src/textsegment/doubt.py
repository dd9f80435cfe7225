"""Doubt about a mask: what its measurements say against it, and the verdict that follows.

This is a pure function of the statistics of a mask and the calibration of its weights, so that every front
end reaches the same verdict. Nothing is hidden or emptied because of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

from textsegment.caution import Caution
from textsegment.doubt_limits import (
    CUT_OFF_MM,
    ENOUGH_REASONS,
    FAR_TOO_LARGE,
    LIMITS,
    SPECK,
    UNSURE_SHARE,
    Limits,
)
from textsegment.origin import Maker
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.vocabulary.anatomy import Anatomy, Form, anatomy_of

_FEWEST_MASKS = 4
_MOSTLY = 0.3
_MOST = "mostly_doubtful"
# A second computation disagrees where there are other reasons as well, so it only decides by itself.
_ALONE = "unstable"


class Verdict(str, Enum):
    """What to make of a mask."""

    NONE = "none"
    """Nothing speaks against it, or there is no calibration by which to judge."""
    CHECK = "check"
    """It should be checked."""
    PROBABLY_ABSENT = "probably absent"
    """The structure is probably not in this image."""


@dataclass(frozen=True)
class Calibration:
    """How unsure a model is of masks that are good, measured on labelled scans.

    Attributes:
        unsure_95: 95 % quantile of the unsure share over good masks.
        unsure_98: 98 % quantile of the unsure share over good masks.
        scans: Number of labelled scans.
        masks: Number of good masks.
    """

    unsure_95: float
    unsure_98: float
    scans: int
    masks: int

    def to_values(self) -> tuple[float, float, int, int]:
        """Return the numbers in the form in which a provenance holds them, under ``calibration``."""
        return self.unsure_95, self.unsure_98, self.scans, self.masks

    def to_text(self) -> str:
        """Return the numbers as text with commas between them, as in the header of a server's information."""
        return ", ".join(map(repr, self.to_values()))

    @classmethod
    def from_text(cls, text: str) -> Calibration | None:
        """Return the calibration that ``to_text`` wrote; None if the text is anything else.

        >>> Calibration.from_text(Calibration(0.3, 0.4, 12, 200).to_text()).masks
        200
        """
        try:
            low, high, scans, masks = text.split(",")
            return cls(float(low), float(high), int(scans), int(masks))
        except ValueError:
            return None

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> Calibration | None:
        """Return the calibration of the weights that made a segmentation; None if they have none.

        >>> Calibration.of({"model": "sat-demo", "calibration": (0.3, 0.4, 12, 200)}).unsure_98
        0.4
        """
        match provenance.get("calibration"):
            case [float() | int() as low, float() | int() as high, int() as scans, int() as masks]:
                return cls(float(low), float(high), scans, masks)
        return None


@dataclass(frozen=True)
class Doubt:
    """What speaks against a mask.

    Attributes:
        reasons: Cautions with codes and values, the weightiest first; their phrases are fragments.
        verdict: What to make of the mask.
        is_judged: Whether there was a calibration by which to reach a verdict.

    Example:
        >>> reasons = (Caution("too_small", volume_ml=6), Caution("claimed", percent=71))
        >>> print(Doubt(reasons, Verdict.PROBABLY_ABSENT))
        probably not in this image: only 6 ml; other structures claim 71 % of it
    """

    reasons: tuple[Caution, ...] = ()
    verdict: Verdict = Verdict.NONE
    is_judged: bool = True

    @property
    def caution(self) -> Caution | None:
        """What is to be said to the user about the mask; None if it was judged and found good."""
        code = _CODES[self.verdict] if self.is_judged else "not_judged"
        return Caution(code, reasons="; ".join(self.reasons)) if code and self.reasons else None

    def __bool__(self) -> bool:
        """Whether the mask should be looked at: whether there is a verdict."""
        return self.verdict is not Verdict.NONE

    def __str__(self) -> str:
        """Return verdict and reasons as one fragment of a sentence; empty without reasons."""
        return _PREFIX[self.verdict] + "; ".join(self.reasons)


_CODES = {Verdict.NONE: "", Verdict.CHECK: "check", Verdict.PROBABLY_ABSENT: "probably_absent"}
_PREFIX = {
    Verdict.NONE: "",
    Verdict.CHECK: "check: ",
    Verdict.PROBABLY_ABSENT: "probably not in this image: ",
}

_WEIGHT = {verdict: weight for weight, verdict in enumerate(Verdict)}

NO_DOUBT = Doubt()
"""Doubt about a mask that nothing speaks against."""


def of(mask: StructureMask, calibration: Calibration | None, limits: Limits = LIMITS) -> Doubt:
    """Judge a mask by its measurements.

    Args:
        mask: Mask as the model made it; nothing is said about one that is empty, derived or edited.
        calibration: Calibration of the weights; without it there are reasons, but no verdict.
        limits: Limits of the measurements.

    Example:
        >>> from dataclasses import replace
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> mask = FakeSegmenter().segment(phantom(), ["left lung"])["left lung"]
        >>> odd = replace(mask, statistics=replace(mask.statistics, wrong_side_share=0.8))
        >>> print(of(odd, Calibration(0.3, 0.4, 12, 200)))
        probably not in this image: only 6.2 ml; 80 % of it lies on the other side of the body
    """
    if not _can_be_judged(mask):
        return NO_DOUBT
    findings = sorted(_findings(mask, calibration, limits), key=lambda finding: -_WEIGHT[finding.verdict])
    reasons = tuple(finding.reason for finding in findings)
    if calibration is None:
        return Doubt(reasons, is_judged=False)
    verdict = findings[0].verdict if findings else Verdict.NONE
    if verdict is Verdict.NONE and sum(reason.code != _ALONE for reason in reasons) >= ENOUGH_REASONS:
        verdict = Verdict.CHECK
    return Doubt(reasons, verdict)


def of_all(segmentation: Segmentation) -> tuple[Doubt, ...]:
    """Judge all masks of a segmentation by the calibration in its provenance, in the order of the masks."""
    calibration = Calibration.of(segmentation.provenance)
    return tuple(of(mask, calibration) for mask in segmentation)


def notes_on(mask: StructureMask, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all that is to be said about a mask in a file: the verdict on it, then its warnings.

    Args:
        mask: Mask of a segmentation.
        provenance: Provenance of the segmentation.
    """
    doubt = of(mask, Calibration.of(provenance))
    return (doubt.caution, *mask.warnings) if doubt and doubt.caution else mask.warnings


def about_most(masks: Iterable[StructureMask], calibration: Calibration | None) -> Caution | None:
    """Return a caution about the whole image if more than 30 % of the masks that were found look doubtful.

    Only masks that the model made are counted.
    """
    return most_of([of(mask, calibration) for mask in masks if _can_be_judged(mask)])


def counted_anew(segmentation: Segmentation) -> Segmentation:
    """Return a segmentation whose caution about most results counts the masks that are in it now.

    An engine counts all that it was asked for, also what is left out of the result later.
    """
    others = (each for each in segmentation.warnings if getattr(each, "code", "") != _MOST)
    most = about_most(segmentation, Calibration.of(segmentation.provenance))
    return replace(segmentation, warnings=(*others, *([most] if most else ())))


def most_of(doubts: Sequence[Doubt]) -> Caution | None:
    """Return a caution about the whole image if more than 30 % of these doubts have a verdict.

    Args:
        doubts: Doubt about each mask that was found; of fewer than four masks nothing is said.
    """
    doubtful = sum(map(bool, doubts))
    if len(doubts) < _FEWEST_MASKS or doubtful <= _MOSTLY * len(doubts):
        return None
    return Caution(_MOST, count=doubtful, total=len(doubts))


def _can_be_judged(mask: StructureMask) -> bool:
    is_by_model = mask.origin.maker is Maker.MODEL and not mask.origin.is_derived
    return is_by_model and not mask.statistics.is_empty


class _Finding(NamedTuple):
    """A reason, and the verdict to which it leads by itself."""

    reason: Caution
    verdict: Verdict


def _findings(mask: StructureMask, calibration: Calibration | None, limits: Limits) -> Iterator[_Finding]:
    given, facts = mask.statistics, anatomy_of(mask.structure)
    yield from _about_place(given, facts, limits, is_tidied=mask.origin.tidied)
    yield from _about_volume(given, facts)
    if facts.form is Form.SOLID and given.second_part_share > limits.second_part.notable:
        values: dict[str, Any] = {
            "count": given.part_count or 2,
            "percent": _percent(given.second_part_share),
            "distance_mm": _rounded(given.second_part_distance_mm),
        }
        # What is cut off by the border may rightly lie on the image in two pieces, such as an arch.
        is_odd = given.second_part_share > limits.second_part.decisive and not given.touches_border
        yield _Finding(Caution("distant_parts", **values), _check_if(is_odd))
    if given.whole_agreement < limits.whole.notable:
        caution = Caution("parts_disagree", percent=_percent(given.whole_agreement))
        yield _Finding(caution, _check_if(given.whole_agreement < limits.whole.decisive))
    if given.shift_agreement < limits.shift.notable:
        caution = Caution("unstable", percent=_percent(given.shift_agreement))
        yield _Finding(caution, _check_if(given.shift_agreement < limits.shift.decisive))
    if given.claimed_share > limits.claimed.notable:
        caution = Caution("claimed", percent=_percent(given.claimed_share))
        yield _Finding(caution, _check_if(given.claimed_share > limits.claimed.decisive))
    if given.unsure_share > (UNSURE_SHARE if calibration is None else calibration.unsure_95):
        caution = Caution("unsure", percent=_percent(given.unsure_share))
        is_odd = calibration is not None and given.unsure_share > calibration.unsure_98
        yield _Finding(caution, _check_if(is_odd))


def _about_place(
    given: MaskStatistics, facts: Anatomy, limits: Limits, *, is_tidied: bool
) -> Iterator[_Finding]:
    distance_mm = abs(given.height_offset_mm)
    beyond_mm = distance_mm - facts.spread_mm - (CUT_OFF_MM if given.touches_border else 0.0)
    if beyond_mm > limits.height_mm.notable:
        direction = "above" if given.height_offset_mm > 0 else "below"
        caution = Caution("misplaced", distance_cm=round(distance_mm / 10), direction=direction)
        verdict = Verdict.PROBABLY_ABSENT if beyond_mm > limits.height_mm.decisive else Verdict.NONE
        yield _Finding(caution, verdict)
    # Tidying removed the smaller share on the other side; the measurements are those of the mask before.
    if given.wrong_side_share > (limits.wrong_side.decisive if is_tidied else limits.wrong_side.notable):
        caution = Caution("wrong_side", percent=_percent(given.wrong_side_share))
        yield _Finding(caution, _check_if(given.wrong_side_share > limits.wrong_side.decisive))


def _about_volume(given: MaskStatistics, facts: Anatomy) -> Iterator[_Finding]:
    if facts.volume_ml is None:
        return
    low, high = facts.volume_ml
    if given.volume_ml > high:
        is_odd = given.volume_ml > high * FAR_TOO_LARGE
        yield _Finding(Caution("too_large", volume_ml=_rounded(given.volume_ml)), _check_if(is_odd))
    elif given.volume_ml < low and not given.touches_border:
        is_speck = given.volume_ml < low / SPECK
        verdict = Verdict.PROBABLY_ABSENT if is_speck else Verdict.CHECK
        yield _Finding(Caution("too_small", volume_ml=_rounded(given.volume_ml)), verdict)


def _check_if(is_odd: bool) -> Verdict:
    return Verdict.CHECK if is_odd else Verdict.NONE


def _percent(share: float) -> int:
    return round(100 * share)


def _rounded(value: float) -> float:
    """Round to two significant digits."""
    return 0.0 if not value or math.isnan(value) else round(value, 1 - math.floor(math.log10(abs(value))))
