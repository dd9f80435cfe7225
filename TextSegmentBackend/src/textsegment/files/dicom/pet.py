"""Standardised uptake values (SUV by body weight) of PET series.

Follows the QIBA vendor-neutral procedure: activity per millilitre times the weight in grams, divided by the
dose at the time to which the activities are decay-corrected. PS3.3 C.8.9.1 defines the attributes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.valuerep import DT

from textsegment.errors import VolumeInvalidError

# Philips stores counts, and factors that convert them to SUV or Bq/ml ("Philips PET Private Group").
_PHILIPS_SUV_FACTOR = 0x70531000
_PHILIPS_ACTIVITY_FACTOR = 0x70531009
PET_KEYWORDS = (
    "Units", "SUVType", "DecayCorrection", "PatientWeight", "RadiopharmaceuticalInformationSequence",
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime",
)  # fmt: skip
"""Keywords of the attributes needed from the headers of a PET series."""
PET_PRIVATE_TAGS = (0x70530010, _PHILIPS_SUV_FACTOR, _PHILIPS_ACTIVITY_FACTOR)
"""Tags of private Philips attributes that are needed: the private creator and the factors."""
_LONGEST_UPTAKE_S = 86400.0
# Date, and time at least to the hour, optionally with a fraction of a second and a time zone.
_MOMENT = re.compile(r"\d{10,14}(\.\d{1,6})?([+-]\d{4})?")


class _LackingError(Exception):
    """Information missing from the files; the text completes a sentence."""


def suv_factor(datasets: Sequence[Dataset]) -> tuple[float, tuple[str, ...]]:
    """Return the factor that converts the values of a PET series to SUV by body weight, and warnings.

    If the files lack the required information, the factor leaves the values in another unit, such as Bq/ml,
    which a warning names.

    Args:
        datasets: Headers of all images of the series.

    Raises:
        VolumeInvalidError: The values are raw counts, which cannot be compared between slices and scans.
    """
    first = datasets[0]
    units = str(first.get("Units") or "")
    if units == "GML":
        kind = str(first.get("SUVType") or "BW")
        if kind == "BW":
            return 1.0, ()
        return 1.0, ("The PET values are SUV by another measure than body weight.",)
    per_count = 1.0
    if units == "CNTS":
        if factor := _positive(first, _PHILIPS_SUV_FACTOR):
            return factor, ()
        per_count = _positive(first, _PHILIPS_ACTIVITY_FACTOR) or 0.0
        if not per_count:
            raise VolumeInvalidError(
                "The PET values are counts, and the files do not say what activity a count stands for.",
                "Export the series in Bq/ml or as SUV.",
            )
    elif units != "BQML":
        return 1.0, ("The PET values stay in the unit of the files, which is none of activity.",)
    try:
        return per_count * _grams(first) / _dose_bq(datasets), ()
    except _LackingError as lacking:
        return per_count, (f"The PET values are Bq/ml, not SUV: {lacking}.",)


def _grams(dataset: Dataset) -> float:
    weight_kg = _positive(dataset, "PatientWeight")
    if not weight_kg:
        raise _LackingError("the files lack the weight of the patient")
    return weight_kg * 1000


def _dose_bq(datasets: Sequence[Dataset]) -> float:
    """Return the injected dose in Bq, decayed to the time to which the values are corrected."""
    first = datasets[0]
    items = first.get("RadiopharmaceuticalInformationSequence")
    info = items[0] if isinstance(items, DicomSequence) and items else Dataset()
    dose = _positive(info, "RadionuclideTotalDose")
    half_life_s = _positive(info, "RadionuclideHalfLife")
    if not dose or not half_life_s:
        raise _LackingError("the files lack the dose or its half-life")
    correction = str(first.get("DecayCorrection") or "")
    if correction == "ADMIN":
        return dose
    if correction != "START":
        raise _LackingError("they are not corrected for decay to a known time")
    return float(dose * 2 ** (-_uptake_s(_scan_start(datasets), info) / half_life_s))


def _scan_start(datasets: Sequence[Dataset]) -> datetime:
    """Return the start of the series, or of its first acquisition if the series was created later."""
    series = _moment(datasets[0], "SeriesDate", "SeriesTime")
    acquired = [
        _moment(dataset, "AcquisitionDate", "AcquisitionTime")
        or _moment(datasets[0], "SeriesDate", "AcquisitionTime")
        for dataset in datasets
    ]
    known = [moment for moment in (series, *acquired) if moment is not None]
    if not known:
        raise _LackingError("the files lack the time of the scan")
    return min(known)


def _uptake_s(start: datetime, info: Dataset) -> float:
    """Return the time from injection to scan in seconds."""
    injected = [_parsed(str(info.get("RadiopharmaceuticalStartDateTime") or ""))]
    # A time without a date is on the day of the scan, or the day before if the scan was after midnight.
    same_day = _parsed(start.strftime("%Y%m%d") + str(info.get("RadiopharmaceuticalStartTime") or ""))
    if same_day is not None:
        injected += [same_day, same_day - timedelta(days=1)]
    passed = [(start - moment).total_seconds() for moment in injected if moment is not None]
    for seconds in passed:
        if 0 <= seconds < _LONGEST_UPTAKE_S:
            return seconds
    raise _LackingError("the files lack the time of the injection, or it does not fit that of the scan")


def _moment(dataset: Dataset, date: str, time: str) -> datetime | None:
    return _parsed(f"{dataset.get(date) or ''}{dataset.get(time) or ''}")


def _parsed(text: str) -> datetime | None:
    """Parse a combined date and time; the time zone, which few files state, is ignored."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = DT(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else None


def _positive(dataset: Dataset, key: str | int) -> float | None:
    """Return the value of an attribute if it is a positive finite number, else None."""
    try:
        number = float(dataset[key].value)
    except (KeyError, TypeError, ValueError):
        return None
    return number if 0 < number < math.inf else None
