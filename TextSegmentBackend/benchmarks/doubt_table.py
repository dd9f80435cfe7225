"""Tables about doubt: what each signal catches by itself, and what the verdict catches.

A mask is wrong if its Dice is below 0.5 or its structure is not in the image. Thresholds of a signal, and the
calibration by which verdicts are reached, come from the good masks of all *other* people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from textsegment.doubt import Calibration, Doubt, most_of, of
from textsegment.doubt_limits import CUT_OFF_MM, LIMITS, Limit, Limits
from textsegment.geometry import Box
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.vocabulary.anatomy import Form, anatomy_of

_GOOD_DICE = 0.5
_NAMES = tuple(field.name for field in fields(MaskStatistics))
_OUTSIDE = ("noise", "blur", "half", "unit", "window", "mr", "ct", "fliplr", "flipap", "flipsi")


@dataclass(frozen=True)
class Row:
    """One mask of one image: what was measured, and what is known of it."""

    structure: str
    image: str
    person: str
    statistics: MaskStatistics
    dice: float
    is_absent: bool
    is_upside_down: bool

    @property
    def is_wrong(self) -> bool:
        """Whether the mask is wrong."""
        return self.dice < _GOOD_DICE

    @property
    def change(self) -> str:
        """What was done to the scan; empty for the scan as it came."""
        return self.image.partition(" ")[2]


def read_rows(folder: Path) -> list[Row]:
    """Read the results of all images; masks that are empty are left out, since there is nothing to judge."""
    return [
        row
        for path in sorted(folder.glob("*.json"))
        for row in map(_row, json.loads(path.read_text(encoding="utf-8")))
        if not row.statistics.is_empty
    ]


def _row(given: dict[str, Any]) -> Row:
    statistics = MaskStatistics(**{name: given[name] for name in _NAMES})
    return Row(
        given["structure"],
        given["image"],
        given["person"],
        statistics,
        given["dice"],
        given["is_absent"],
        "upside_down" in given["codes"],
    )


def _solid_second_part(row: Row) -> float:
    is_solid = anatomy_of(row.structure).form is Form.SOLID
    return row.statistics.second_part_share if is_solid else math.nan


def _volume(row: Row) -> float:
    limits = anatomy_of(row.structure).volume_ml
    if limits is None:
        return math.nan
    low, high = limits
    told = row.statistics
    return max(
        math.log(told.volume_ml / high), 0.0 if told.touches_border else math.log(low / told.volume_ml), 0.0
    )


def _height(row: Row) -> float:
    return max(abs(row.statistics.height_offset_mm) - anatomy_of(row.structure).spread_mm, 0.0)


SIGNALS: dict[str, Callable[[Row], float]] = {
    "mean confidence (low)": lambda row: -row.statistics.mean_confidence,
    "unsure share": lambda row: row.statistics.unsure_share,
    "second part, if solid": _solid_second_part,
    "wrong side": lambda row: row.statistics.wrong_side_share,
    "volume, off the adult range": _volume,
    "height, off the landmarks": _height,
    "claimed by others": lambda row: row.statistics.claimed_share,
    "whole against its parts (low)": lambda row: -row.statistics.whole_agreement,
    "shifted computation (low)": lambda row: -row.statistics.shift_agreement,
}


LIMITED: dict[str, tuple[Callable[[Row], float], int]] = {
    "height_mm": (lambda row: _height(row) - CUT_OFF_MM * row.statistics.touches_border, 1),
    "wrong_side": (lambda row: row.statistics.wrong_side_share, 1),
    "second_part": (_solid_second_part, 1),
    "claimed": (lambda row: row.statistics.claimed_share, 1),
    "whole": (lambda row: row.statistics.whole_agreement, -1),
    "shift": (lambda row: row.statistics.shift_agreement, -1),
}
"""What is limited, by the names of ``Limits``; and whether it is odd if it is high or low."""


def print_tables(rows: Sequence[Row], trained: frozenset[str]) -> None:
    """Print the tables, for all people and for those that the model was not trained on."""
    groups = {
        "all": list(rows),
        "people not trained on": [row for row in rows if row.person not in trained],
        "people not trained on, scans as they came": [
            row for row in rows if row.person not in trained and not row.change
        ],
        "scans as they came, or cropped": [row for row in rows if row.change not in _OUTSIDE],
    }
    for name, group in groups.items():
        wrong = np.array([row.is_wrong for row in group])
        absent = sum(row.is_absent for row in group)
        if not 0 < wrong.sum() < len(group):
            continue
        print(f"\n### {name}\n")
        print(
            f"{len(group)} masks of {len({row.image for row in group})} images of "
            f"{len({row.person for row in group})} people: {int((~wrong).sum())} good, "
            f"{int(wrong.sum()) - absent} bad, {absent} of structures that are absent.\n"
        )
        print("| signal | measured | AUC | caught | false alarms |\n|---|---|---|---|---|")
        for signal, function in SIGNALS.items():
            print(_signal_line(signal, function, group, rows))
        for limits in ("", ", limits of the others"):
            for verdict, check in (("verdict", False), ("verdict with `--check`", True)):
                flags = flagged(group, rows, check=check, chosen_anew=bool(limits))
                print(f"| **{verdict}**{limits} | 100 % | | {_shares(flags, wrong)} |")
    _print_reasons(rows)
    _print_changes(rows)


def _signal_line(
    name: str, function: Callable[[Row], float], group: Sequence[Row], rows: Sequence[Row]
) -> str:
    values = np.array([function(row) for row in group])
    known = np.isfinite(values)
    wrong = np.array([row.is_wrong for row in group])
    if not known.any():
        return f"| {name} | 0 % | – | – | – |"
    hits = _beyond(function, group, rows, 0.95)
    auc = _auc(values[known], wrong[known])
    return f"| {name} | {100 * known.mean():.0f} % | {auc:.2f} | {_shares(hits, wrong)} |"


def _beyond(
    function: Callable[[Row], float], group: Sequence[Row], rows: Sequence[Row], quantile: float
) -> NDArray[np.bool_]:
    """Return which masks lie beyond a quantile of the good masks of all other people."""
    values = np.array([function(row) for row in group])
    hits = np.zeros(len(group), dtype=bool)
    for person in {row.person for row in group}:
        others = np.array([function(row) for row in rows if row.person != person and not row.is_wrong])
        others = others[np.isfinite(others)]
        limit = np.quantile(others, quantile) if len(others) else math.inf
        hits |= np.array([row.person == person for row in group]) & (values > limit)
    return hits


def calibration_of(rows: Iterable[Row]) -> Calibration:
    """Return what ``textsegment calibrate`` would: from good masks of scans as they came, and with noise."""
    good = [row for row in rows if not row.is_wrong and row.change in ("", "noise")]
    low, high = np.quantile([row.statistics.unsure_share for row in good], (0.95, 0.98))
    return Calibration(float(low), float(high), len({row.image for row in good}), len(good))


def limits_of(rows: Iterable[Row]) -> Limits:
    """Return limits beyond which lie 2 % and 0.5 % of the good masks for which something was measured."""
    good = [row for row in rows if not row.is_wrong]
    return Limits(**{name: _limit(list(map(value, good)), sign) for name, (value, sign) in LIMITED.items()})


def _limit(values: Sequence[float], sign: int) -> Limit:
    """Return the limit of a measurement that is odd if it is high (sign 1) or low (-1)."""
    measured = sign * np.array([value for value in values if math.isfinite(value)])
    notable, decisive = sign * np.quantile(measured, (0.98, 0.995), method="higher")
    return Limit(float(notable), float(decisive))


def doubts(
    group: Sequence[Row], rows: Sequence[Row], *, check: bool, chosen_anew: bool = False
) -> list[Doubt]:
    """Return the doubt about each mask.

    Args:
        group: Masks to be judged, each with the calibration of all other people.
        rows: Masks of all people.
        check: Whether there was a second computation.
        chosen_anew: Whether the limits that are the same for all weights are those of all other people, too.
    """
    found: dict[str, tuple[Calibration, Limits]] = {}
    for person in {row.person for row in group}:
        others = [row for row in rows if row.person != person]
        found[person] = calibration_of(others), limits_of(others) if chosen_anew else LIMITS
    return [of(_mask(row, check), *found[row.person]) for row in group]


def flagged(
    group: Sequence[Row], rows: Sequence[Row], *, check: bool, chosen_anew: bool = False
) -> NDArray[np.bool_]:
    """Return for each mask whether it has a verdict; see ``doubts``."""
    return np.array([bool(doubt) for doubt in doubts(group, rows, check=check, chosen_anew=chosen_anew)])


def _mask(row: Row, check: bool) -> StructureMask:
    told = {name: getattr(row.statistics, name) for name in _NAMES}
    if not check:
        told["shift_agreement"] = math.nan
    nowhere = Box((0, 0, 0), (0, 0, 0))
    return StructureMask(row.structure, nowhere, np.zeros((0, 0, 0), dtype=bool), MaskStatistics(**told))


def _print_reasons(rows: Sequence[Row]) -> None:
    wrong = np.array([row.is_wrong for row in rows])
    said = [{reason.code for reason in doubt.reasons} for doubt in doubts(rows, rows, check=True)]
    print("\n### reasons\n\n| reason | of wrong masks | of good masks |\n|---|---|---|")
    for code in sorted(set().union(*said)):
        has = np.array([code in codes for codes in said])
        print(f"| {code} | {_share(has[wrong])} | {_share(has[~wrong])} |")


def _print_changes(rows: Sequence[Row]) -> None:
    print("\n### what was done to the scan\n")
    print("| change | good | wrong | caught | false alarms | caught with `--check` | images | warned of |")
    print("|---|---|---|---|---|---|---|---|")
    for change in sorted({row.change for row in rows}):
        group = [row for row in rows if row.change == change]
        wrong = np.array([row.is_wrong for row in group])
        flags, again = (flagged(group, rows, check=check) for check in (False, True))
        print(
            f"| {change or 'none'} | {int((~wrong).sum())} | {int(wrong.sum())} | {_share(flags[wrong])} | "
            f"{_share(flags[~wrong])} | {_share(again[wrong])} | {len({row.image for row in group})} | "
            f"{_warned_of(group, rows)} |"
        )


def _warned_of(group: Sequence[Row], rows: Sequence[Row]) -> int:
    """Return of how many images as a whole the user is warned."""
    by_image: dict[str, list[Doubt]] = {}
    for row, doubt in zip(group, doubts(group, rows, check=False), strict=True):
        by_image.setdefault(row.image, []).append(doubt)
    said = {name for name, found in by_image.items() if most_of(found)}
    return len(said | {row.image for row in group if row.is_upside_down})


def _auc(values: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    positive, negative = int(wrong.sum()), int((~wrong).sum())
    if not positive or not negative:
        return math.nan
    ranks = rankdata(values)[wrong].sum() - positive * (positive + 1) / 2
    return float(ranks / (positive * negative))


def _shares(hits: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> str:
    return f"{_share(hits[wrong])} | {_share(hits[~wrong])}"


def _share(hits: NDArray[np.bool_]) -> str:
    return f"{100 * hits.mean():.1f} %" if hits.size else "–"
