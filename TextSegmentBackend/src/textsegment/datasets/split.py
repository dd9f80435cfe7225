"""Splits of a set by patient, the same for the same patients whatever their order and number of scans."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from textsegment.datasets.record import SPLITS
from textsegment.errors import InputError


def split_patients(
    stated: Iterable[tuple[str, str | None]], *, validation: float, seed: int = 0
) -> dict[str, str]:
    """Assign every patient to a split.

    What the source states is kept. Of the other patients, a fraction is held out for validation, unless the
    source already states who is.

    Args:
        stated: Pairs of (patient, split stated by the source or None), one for each case.
        validation: Fraction of the patients to hold out; at least one of three or more if it is positive.
        seed: Number that decides which ones.

    Returns:
        Split of each patient.

    Raises:
        InputError: The source puts cases of one patient into different splits.

    Example:
        >>> split_patients([("a", None), ("b", "test")], validation=0.0)
        {'a': 'train', 'b': 'test'}
    """
    splits: dict[str, str | None] = {}
    for patient, split in stated:
        if split is not None and split not in SPLITS:
            raise InputError(f"{split!r} is not a split.", f"Use one of {', '.join(SPLITS)}.")
        known = splits.setdefault(patient, split)
        if known != split and None not in (known, split):
            raise InputError(
                f"Cases of one patient ({patient}) are in two splits: {known} and {split}.",
                "Keep all cases of a patient in one split.",
            )
        splits[patient] = known or split
    free = [patient for patient, split in splits.items() if split is None]
    if "validation" not in splits.values():
        free_by_hash = sorted(free, key=lambda patient: hashlib.sha256(f"{seed}/{patient}".encode()).digest())
        count = round(validation * len(free))
        if validation > 0 and count == 0 and len(free) >= 3:
            count = 1
        splits |= dict.fromkeys(free_by_hash[:count], "validation")
    return {patient: split or "train" for patient, split in splits.items()}


def sizes(splits: Mapping[str, str]) -> dict[str, int]:
    """Return the number of patients in each split."""
    return {split: sum(each == split for each in splits.values()) for split in SPLITS}
