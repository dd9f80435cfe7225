"""Sides: left, right and both, as words or abbreviations in several languages."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from textsegment.vocabulary.language.words import CJK, clean, tokens, word_lists
from textsegment.vocabulary.structures import load_structures

# "left of the kidney" is a place next to it, not the left kidney.
BESIDE = re.compile(
    r"\b(?:(?:left|right|lt|rt) of|(?:links|rechts) (?:von|vom|neben|van|der|des)"
    r"|a (?:gauche|droite) (?:de|du|des)"
    r"|a la (?:izquierda|derecha) del?|a (?:sinistra|destra) d(?:i|el|ella|ello)"
    r"|a (?:esquerda|direita) d[eoa])\b"
)


class Sided(NamedTuple):
    """Words of a term, separated from their side.

    Attributes:
        words: Remaining words.
        side: ``left``, ``right``, ``both``, ``each`` (left and right by name), ``conflict``, or None.
    """

    words: list[str]
    side: str | None


def take_side(text: str) -> Sided:
    """Separate the side that a term names from its other words."""
    cleaned = clean(text)
    if CJK.search(cleaned):
        return _take_cjk("".join(tokens(cleaned)))
    return _take_words(tokens(cleaned), spaced=" " in cleaned and "_" not in cleaned)


def _take_words(words: list[str], *, spaced: bool) -> Sided:
    lists = word_lists()
    marks = [lists["sides"].get(word) for word in words]
    if "sin" in words[:-1]:  # Spanish "without"; as an abbreviation of "sinister" it comes last
        marks = [None if word == "sin" else mark for word, mark in zip(words, marks, strict=True)]
    if BESIDE.search(" ".join(words)) or _says_something_else(words, spaced=spaced):
        return Sided(words, "conflict")
    found = [mark for mark in marks if mark]
    rest: list[str] = []
    joined = False
    for index, word in enumerate(words):
        before = index > 0 and marks[index - 1] is not None
        after = index + 1 < len(words) and marks[index + 1] is not None
        if marks[index] or (before and word in lists["side_nouns"]):
            continue
        if (
            after
            and word in lists["function_words"]
            and index > 0
            and words[index - 1] in lists["side_leads"]
        ):
            continue
        if word in lists["side_leads"] and _leads_to_side(words, marks, index + 1):
            continue
        if before and after and word in lists["side_joins"]:
            joined = True
            continue
        rest.append(word)
    return Sided(rest, _side_of(found, joined))


def _says_something_else(words: list[str], *, spaced: bool) -> bool:
    """Return whether an abbreviation next to a name is not a side: "Dx lung" and "lung dx", not "Lung_dx"."""
    if len(words) < 2:
        return False
    if words[-1] in ("dx", "sx", "re") and spaced and words[-2] in _english_words():
        return True
    return words[0] in ("dx", "sx") or (words[0] == "re" and words[1] in _english_words())


@lru_cache(maxsize=1)
def _english_words() -> frozenset[str]:
    return frozenset(word for name in load_structures() for word in tokens(clean(name)))


def _leads_to_side(words: list[str], marks: list[str | None], index: int) -> bool:
    """Return whether there is a side at the index, or after an article at the index: "on the left"."""
    if index < len(words) and words[index] in word_lists()["function_words"]:
        index += 1
    return index < len(words) and marks[index] is not None


def _side_of(found: list[str], joined: bool) -> str | None:
    distinct = set(found)
    if not distinct:
        return None
    if distinct == {"left", "right"}:
        return "each" if joined and len(found) == 2 else "conflict"
    return distinct.pop() if len(found) == 1 else "conflict"


def _take_cjk(text: str) -> Sided:
    sides = {mark: side for mark, side in word_lists()["sides"].items() if CJK.search(mark)}
    for mark in sorted(sides, key=len, reverse=True):
        if text.startswith(mark) and len(text) > len(mark):
            rest = text[len(mark) :].lstrip("的の側侧")
            return Sided([rest], sides[mark])
    inside = re.findall("[左右]", text)
    if len(inside) == 1:  # 肝左叶
        rest = re.sub("(?:[左右][侧側边]?)的?", "", text)
        return Sided([rest], sides[inside[0]]) if rest else Sided([text], None)
    return Sided([text], None)
