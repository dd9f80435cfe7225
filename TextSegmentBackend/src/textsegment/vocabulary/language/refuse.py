"""Reasons not to run a text: negation, volumes derived from others, diseases and devices."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textsegment.caution import Caution
from textsegment.vocabulary.language.sides import Sided, take_side
from textsegment.vocabulary.language.words import CJK, clean, tokens, word_lists

TARGET_VOLUME = re.compile(r"ptv|ctv|gtv|itv|prv")
DISTANCE = re.compile(r"\d+(?:[.,]\d+)?\s*(?:mm|cm|gy|cgy|%)(?![a-z])")
SPACED_MINUS = re.compile(r"\w\)?(?:\s+-\s*|\s*-\s+)\(?\w")
NOT_SIGN = re.compile(r"(?:^|\s)[!~¬≠](?=\s*\w)|\bw/o\b")


@dataclass(frozen=True)
class Refusal:
    """A reason not to run a text.

    Attributes:
        status: ``negation``, ``derived_volume`` or ``unsupported``.
        reason: Explanation for the user.
        reach: Which terms of a list it affects: ``after`` ("without a, b"), ``before`` ("a + b + 5 mm") or
            ``itself``.
    """

    status: str
    reason: str
    reach: str = "itself"


def find_negation(text: str) -> Refusal | None:
    """Return a refusal if the text excludes something ("no liver", "ohne Leber", "all but the spleen")."""
    cleaned = clean(text)
    lists = word_lists()
    words = tokens(cleaned)
    if words and words[-1] == "sin":
        words = words[:-1]
    line = f" {' '.join(words)} "
    negated = bool(NOT_SIGN.search(cleaned)) or any(f" {word} " in line for word in lists["negation"])
    if CJK.search(cleaned):
        negated = negated or any(word in cleaned for word in lists["negation_cjk"])
    if not negated:
        return None
    return Refusal("negation", Caution("term_negation"), "after")


def find_derived(text: str) -> Refusal | None:
    """Return a refusal if the text means a target volume or a volume derived from others."""
    cleaned = clean(text)
    words = set(tokens(cleaned))
    if words & word_lists()["derived"]:
        reach = "after" if words & {"minus", "subtract", "intersection", "union"} else "before"
        return Refusal("derived_volume", DERIVED_REASON, reach)
    if DISTANCE.search(cleaned):
        return Refusal("derived_volume", DERIVED_REASON, "before")
    if TARGET_VOLUME.search(cleaned):
        return Refusal("derived_volume", Caution("term_target"))
    return None


def find_hip(text: str) -> Sided | None:
    """Return the side of a hip written as in structure sets ("Hip_L", "LHip", "Hips"), or None if it is not.

    In structure sets "hip" means the femoral head as often as the bone.
    """
    sided = take_side(re.sub(r"(?<=[LR])(?=H)|(?<=p)(?=[LR]\b)", " ", text))
    if [word.removesuffix("s") for word in sided.words] != ["hip"]:
        return None
    plain = {"left", "right", "hip"}.issuperset(tokens(clean(text))) and re.search(r"\bhip(?:\b|_)", text)
    return None if plain else sided


def find_subtraction(text: str) -> Refusal | None:
    """Return a refusal if a dash with spaces around it may be a minus ("lungs - heart")."""
    found = SPACED_MINUS.search(clean(text))
    return Refusal("derived_volume", DERIVED_REASON, "after") if found else None


def find_disease(words: list[str]) -> Refusal | None:
    """Return a refusal if a disease or a device is among the words."""
    lists = word_lists()
    if any(
        word in lists["disease"] or re.search(r"(?:[a-z]{3}itis|carcinom[ae]?|metasta[a-z]+)$", word)
        for word in words
    ):
        return Refusal("unsupported", Caution("term_disease"), "before")
    if any(word in lists["devices"] for word in words):
        return Refusal("unsupported", Caution("term_device"))
    return None


DERIVED_REASON = Caution("term_derived")
