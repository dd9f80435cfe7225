"""Which structure of a result is which of a reference."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from textsegment.errors import SettingsError
from textsegment.vocabulary.resolve import MODALITIES, resolve


@dataclass(frozen=True)
class Matching:
    """Result of matching names.

    Attributes:
        pairs: Pairs of a name in the result and a name in the reference, in the order of the reference.
        missing: Names in the reference that the result lacks.
        extra: Names in the result that the reference lacks.
        unclear: Names that several structures have or may mean, and that are therefore not compared.
    """

    pairs: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unclear: tuple[str, ...]


def match(
    result: Sequence[str], reference: Sequence[str], given: Mapping[str, str] | None = None
) -> Matching:
    """Match the names of two segmentations, each name at most once.

    Names match if they are given as a pair; if they are equal except for case, underscores and spaces; or if
    the vocabulary takes both for the same single structure.

    Args:
        result: Names in the result.
        reference: Names in the reference.
        given: Names in the result and the names in the reference that they stand for.

    Raises:
        SettingsError: A given name does not occur.

    Example:
        >>> found = match(["Kidney_L", "liver"], ["left kidney", "Liver", "spleen"])
        >>> found.pairs, found.missing
        ((('Kidney_L', 'left kidney'), ('liver', 'Liver')), ('spleen',))
    """
    given = given or {}
    for name, known in (*((a, result) for a in given), *((b, reference) for b in given.values())):
        if name not in known:
            raise SettingsError(f"There is no structure {name!r} to compare.", "Check the names of --pair.")
    unclear = {name for names in (result, reference) for name, count in Counter(names).items() if count > 1}
    pairs = {b: a for a, b in given.items() if a not in unclear and b not in unclear}
    for key in (_spelling, _meaning):
        left = _by_key([n for n in result if n not in pairs.values() and n not in unclear], key)
        right = _by_key([n for n in reference if n not in pairs and n not in unclear], key)
        for meaning in left.keys() & right.keys():
            ours, theirs = left[meaning], right[meaning]
            if len(ours) == len(theirs) == 1:
                pairs[theirs[0]] = ours[0]
            else:
                unclear |= {*ours, *theirs}
    taken = set(pairs.values())
    return Matching(
        tuple((pairs[name], name) for name in reference if name in pairs),
        tuple(name for name in reference if name not in pairs and name not in unclear),
        tuple(name for name in result if name not in taken and name not in unclear),
        tuple(sorted(unclear)),
    )


def _by_key(names: Sequence[str], key: Callable[[str], str | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if (value := key(name)) is not None:
            found[value].append(name)
    return found


def _spelling(name: str) -> str | None:
    return re.sub(r"[\s_]+", " ", name).strip().casefold() or None


def _meaning(name: str) -> str | None:
    """Return the one structure that a name stands for, in whatever modality; None if there is none."""
    found = set()
    for modality in MODALITIES:
        answers = resolve(name, modality)
        if len(answers) == 1 and answers[0].status == "resolved" and answers[0].relation == "exact":
            found |= set(answers[0].structures)
    return found.pop() if len(found) == 1 else None
