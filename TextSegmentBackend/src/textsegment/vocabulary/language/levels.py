"""Vertebral levels and numbers: parsing of "T10 to L2", "4. Lendenwirbel", "5, 7-9" or "第4腰椎"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from textsegment.vocabulary.language.words import word_lists

COUNTS = {"c": 7, "t": 12, "l": 5, "s": 5}
COLUMN = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
ROMAN = {
    word: number
    for number, word in enumerate(
        ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"], 1
    )
}
CJK_NUMBERS = {
    word: number
    for number, word in enumerate(
        ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"], 1
    )
}
VERTEBRA = r"(?:vertebra|vertebrae|vertebras|vertebre|wirbel|vertebral level|level)"
ORDINAL = r"(?:st|nd|rd|th|er|ere|eme|e|a|o|\.|(?=[\u4e00-\u9fff]))"
# Matches "rib no 5" and "No. 5", but not "no 5th rib" and "no rib 5", which are negations.
NUMBER_SIGN = re.compile(r"(?:(?<=\w )no|\b(?:no|nr)\.|\bnr)\s*(?=\d+(?![a-z\d]))")


class Span(NamedTuple):
    """A level or a range of levels; ``separator`` is empty, ``-``, ``to`` or ``/``."""

    first: str
    separator: str
    last: str


@lru_cache(maxsize=1)
def series_words() -> dict[str, frozenset[str]]:
    """Return the words used with numbered anatomy, keyed by their role."""
    return {name: frozenset(words) for name, words in word_lists()["series"].items()}


def _written_as_levels(text: str) -> str:
    """Return the text with levels such as "fourth lumbar vertebra", "LWK 4", "第4腰椎" written as ``l4``."""
    ordinals = word_lists()["ordinals"]
    text = re.sub(r"[^\W\d_]+", lambda m: f"{ordinals[m[0]]}th" if m[0] in ordinals else m[0], text)
    for digits, number in sorted(CJK_NUMBERS.items(), key=lambda item: -len(item[0])):
        text = re.sub(rf"第?{digits}(?=[腰胸颈頸頚骶仙肋])", str(number), text)
    text = text.replace("第", "")
    if re.search(rf"\b{VERTEBRA}\b", text):
        text = re.sub(r"\b[ivx]+\b", lambda m: str(ROMAN.get(m[0], m[0])), text)
    for letter, names in word_lists()["levels"].items():
        before = rf"(?<!\d)(\d{{1,2}}){ORDINAL}\s*(?:{VERTEBRA}\s*)?(?:{names})\b(?:\s*{VERTEBRA}\b)?"
        after = rf"\b(?:{VERTEBRA}\s*)?(?:{names})\s*(?:{VERTEBRA}\s*)?(\d{{1,2}})(?!\d)"
        text = re.sub(before, rf" {letter}\1 ", text)
        text = re.sub(after, rf" {letter}\1 ", text)
    return text


def read_parts(text: str) -> list[str]:
    """Split a cleaned text into words, numbers, levels (``l4``) and separators (``- to / ,``)."""
    text = re.sub(r"[()\[\]\"':_]", " ", text)
    text = NUMBER_SIGN.sub(" ", text)
    text = re.sub(r"([^\W\d_]{3,})(\d)", r"\1 \2", _written_as_levels(text))
    text = re.sub(r"\b(th|[ctlsd])\s*[-.]?\s*0?(\d{1,2})(?=\D|$)", lambda m: f" {m[1][0]}{m[2]} ", text)
    words = series_words()
    parts: list[str] = []
    for piece in re.findall(r"[^\W\d_]+\d+[ab]?|\d+[ab]?|[^\W\d_]+|[-/,&+~]", text):
        if piece in words["to"]:
            parts.append("to")
        elif piece in words["and"] or piece in "&+":
            parts.append(",")
        else:
            parts.append("-" if piece == "~" else piece)
    return parts


def read_numbers(parts: Sequence[str]) -> list[int] | None:
    """Return the numbers of a list such as "3, 5-7 and 9" in order, or None if it contains anything else.

    Two adjacent numbers ("5 1", "5 third") do not form a list.
    """
    found: list[int] = []
    expect_end = False
    for part, before in zip(parts, ("", *parts), strict=False):
        number = ROMAN.get(part, int(part) if part.isdigit() else None)
        if number is not None and before and before not in ("-", "to", ",", "/"):
            return None
        if part in ("-", "to"):
            if not found or expect_end:
                return None
            expect_end = True
        elif number is not None:
            if expect_end:
                low, high = sorted((found.pop(), number))
                found.extend(range(low, high + 1))
            else:
                found.append(number)
            expect_end = False
        elif part not in (",", "/"):
            return None
    return list(dict.fromkeys(found)) if found and not expect_end else None


def read_spans(parts: Sequence[str]) -> list[Span] | None:
    """Return the levels and ranges, or None if any part is not understood; "L1-5" ends at L5."""
    spans: list[Span] = []
    separator = ","
    if parts and parts[0] in ("-", "to", "/"):
        return None
    for part in parts:
        if part in ("-", "to", "/", ","):
            separator = part
            continue
        level = _level(part, spans[-1].last[0] if spans and separator else "")
        if level is None:
            return None
        if spans and separator in ("-", "to", "/") and not spans[-1].separator:
            spans[-1] = Span(spans[-1].first, separator, level)
        elif spans and not separator:
            if spans[-1].first != level:
                return None
        else:
            spans.append(Span(level, "", level))
        separator = ""
    return spans if spans and not separator else None


def _level(part: str, letter: str) -> str | None:
    """Return the level that a part names, or None; a bare number takes ``letter`` of the preceding level."""
    if letter and part.isdigit():
        part = letter + part
    found = re.fullmatch(r"([ctlsd])(\d{1,2})", part)
    return ("t" if found[1] == "d" else found[1]) + found[2] if found else None


def is_level(level: str) -> bool:
    """Return whether a vertebra with this level exists; L6 is an anatomical variant."""
    return level in COLUMN or level == "l6"


def levels_between(first: str, last: str) -> list[str]:
    """Return the levels from the first to the last, both included, in craniocaudal order."""
    column = list(COLUMN)
    if "l6" in (first, last):
        column.insert(column.index("l5") + 1, "l6")
    low, high = sorted((column.index(first), column.index(last)))
    return column[low : high + 1]
