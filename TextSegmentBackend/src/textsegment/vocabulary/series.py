"""Numbered anatomy: vertebrae and discs with their ranges, ribs, Couinaud's segments of the liver.

A text matches only when every word of it is understood; otherwise the answer is None and other rules have
their turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.words import clean, word_lists

COUNTS = {"c": 7, "t": 12, "l": 5, "s": 5}
REGIONS = {"c": "cervical", "t": "thoracic", "l": "lumbar", "s": "sacral"}
COLUMN = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
ROMAN = {
    "i": 1,
    "ii": 2,
    "iii": 3,
    "iv": 4,
    "v": 5,
    "vi": 6,
    "vii": 7,
    "viii": 8,
    "ix": 9,
    "x": 10,
    "xi": 11,
    "xii": 12,
}
LIVER_SEGMENTS = {
    1: "caudate lobe",
    2: "left lateral superior segment of liver",
    3: "left lateral inferior segment of liver",
    4: "left medial segment of liver",
    5: "right anterior inferior segment of liver",
    6: "right posterior inferior segment of liver",
    7: "right posterior superior segment of liver",
    8: "right anterior superior segment of liver",
}

VERTEBRA_WORDS = {
    "vertebra",
    "vertebrae",
    "vertebras",
    "vertebral",
    "wirbel",
    "vertebre",
    "vertebres",
    "wervel",
    "wervels",
    "level",
    "levels",
    "spine",
}
DISC_WORDS = {
    "disc",
    "discs",
    "disk",
    "disks",
    "intervertebral",
    "bandscheibe",
    "bandscheiben",
    "bandscheibenfach",
    "disque",
    "disques",
    "disco",
    "discos",
    "dischi",
    "discus",
    "intervertebralis",
    "intervertebrale",
    "intervertebrali",
    "intervertebrales",
    "intervertebraux",
    "tussenwervelschijf",
    "tussenwervelschijven",
    "zwischenwirbelscheibe",
    "ivd",
    "between",
    "zwischen",
    "entre",
    "tra",
    "椎间盘",
    "椎間盤",
    "椎間板",
}
BODY_WORDS = {"body", "bodies", "corpus", "wirbelkorper", "vb", "椎体", "椎體"}
RIB_WORDS = {
    "rib",
    "ribs",
    "rippe",
    "rippen",
    "cote",
    "cotes",
    "costilla",
    "costillas",
    "costola",
    "costole",
    "costela",
    "costelas",
    "costa",
    "costae",
    "ribben",
    "肋骨",
}
SEGMENT_WORDS = {"segment", "segments", "segmento", "segmentos", "segmenti", "segmente", "seg"}
LIVER_WORDS = {
    "liver",
    "hepatic",
    "couinaud",
    "hepatis",
    "hepatique",
    "hepatiques",
    "foie",
    "leber",
    "hepatico",
    "hepaticos",
    "epatico",
    "epatici",
    "lever",
    "lebersegment",
    "lebersegmente",
    "couinauds",
    "higado",
    "fegato",
    "figado",
}
LITTLE_WORDS = {
    "of",
    "the",
    "from",
    "all",
    "de",
    "du",
    "des",
    "del",
    "da",
    "do",
    "der",
    "von",
    "vom",
    "number",
    "nr",
    "no",
    "th",
    "st",
    "nd",
    "rd",
}
TO_WORDS = {
    "to",
    "through",
    "bis",
    "thru",
    "a",
    "hasta",
    "al",
    "tot",
    "ate",
    "jusque",
    "jusqua",
    "fino",
    "至",
    "到",
    "から",
}
AND_WORDS = {"and", "und", "et", "y", "e", "ed", "en"}

LEVEL_NAMES = [
    ("c", r"cervical(?:e|es|i|is)?|halswirbel|hwk|hals|颈椎|頸椎|頚椎|颈|頸|頚"),
    ("t", r"thoraci(?:c|ca|cas|que|ques|che|cale)?|thoracales?|dorsal(?:e|es|i)?|brustwirbel|bwk|toraci(?:ca|cas|che)|胸椎|胸"),
    ("l", r"lumbar(?:es)?|lombaires?|lombar(?:e|es|i)?|lumbal(?:e|er)?|lendenwirbel|lwk|lenden|腰椎|腰"),
    ("s", r"sacral(?:e|es)?|sakralwirbel|swk|骶椎|仙椎"),
]  # fmt: skip
VERTEBRA = r"(?:vertebra|vertebrae|vertebras|vertebre|wirbel|vertebral level|level)"
CJK_NUMBERS = {
    "一": 1,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "十一": 11,
    "十二": 12,
}

# "7 ribs" counts ribs; it does not name the seventh.
COUNTED = re.compile(r"^\W*\d+ (?:ribs|vertebrae|segments|discs|disks|liver|hepatic|rippen|wirbel)\b")


@dataclass(frozen=True)
class Numbered:
    """What a numbered text stands for.

    Attributes:
        structures: The structures, in anatomical order; empty if there are none.
        problem: Empty, or why it cannot be run: ``unsupported`` (no such thing in the model), ``ambiguous``.
        message: What to tell the user.
        suggestions: Structures that may have been meant.
    """

    structures: tuple[str, ...] = ()
    problem: str = ""
    message: str = ""
    suggestions: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def vertebra_names() -> dict[str, str]:
    """Return the structure of every vertebral level that the model has: ``l4`` → name."""
    names = {}
    for name in load_structures():
        if found := re.fullmatch(r"(?:cervical|thoracic|lumbar|sacral) vertebrae \d+ \(([ctls]\d+)\)", name):
            names[found[1]] = name
    return names


@lru_cache(maxsize=1)
def disc_names() -> dict[tuple[str, str], str]:
    """Return the structure of every disc by the levels above and below it."""
    names = {}
    for name in load_structures():
        if name.startswith("intervertebral disc between"):
            levels = [*re.findall(r"\(([tl]\d+)\)", name), "s1"]
            names[levels[0], levels[1]] = name
    return names


def _levels_written_out(text: str) -> str:
    """Return the text with "fourth lumbar vertebra", "LWK 4", "第4腰椎" written as ``l4``."""
    ordinals = word_lists()["ordinals"]
    text = re.sub(r"[^\W\d_]+", lambda m: f"{ordinals[m[0]]}th" if m[0] in ordinals else m[0], text)
    for digits, number in sorted(CJK_NUMBERS.items(), key=lambda item: -len(item[0])):
        text = re.sub(rf"第?{digits}(?=[腰胸颈頸頚骶仙])", str(number), text)
    text = text.replace("第", "")
    for letter, words in LEVEL_NAMES:
        before = rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|ere|eme|e|a|o|\.|(?=[\u4e00-\u9fff]))\s*(?:{VERTEBRA}\s*)?(?:{words})\b(?:\s*{VERTEBRA}\b)?"
        after = rf"\b(?:{VERTEBRA}\s*)?(?:{words})\s*(?:{VERTEBRA}\s*)?(\d{{1,2}})(?!\d)"
        text = re.sub(before, rf" {letter}\1 ", text)
        text = re.sub(after, rf" {letter}\1 ", text)
    return text


def _parts(text: str) -> list[str]:
    """Return the words, numbers, levels and separators of a cleaned text."""
    text = re.sub(r"[()\[\]\"':_]", " ", text)
    text = re.sub(r"([^\W\d_]{3,})(\d)", r"\1 \2", _levels_written_out(text))
    text = re.sub(r"\b(th|[ctlsd])\s*[-.]?\s*0?(\d{1,2})(?=\D|$)", lambda m: f" {m[1][0]}{m[2]} ", text)
    pieces = re.findall(r"[^\W\d_]+\d+[ab]?|\d+[ab]?|[^\W\d_]+|[-/,&+~]", text)
    joined: list[str] = []
    for piece in pieces:
        if piece in TO_WORDS:
            piece = "to"
        elif piece in AND_WORDS or piece in "&+":
            piece = ","
        elif piece == "~":
            piece = "-"
        joined.append(piece)
    return joined


def parse_numbered(text: str) -> Numbered | None:
    """Return what a text with numbers stands for, or None if it is nothing of the kind.

    Args:
        text: One term, with any side already taken away.
    """
    if COUNTED.search(clean(text)):
        return None
    parts = _parts(clean(text))
    words = {part for part in parts if part.isalpha() and part != "to"}
    if words & RIB_WORDS:
        return _ribs([part for part in parts if part not in RIB_WORDS | LITTLE_WORDS])
    if words & LIVER_WORDS and (
        words & SEGMENT_WORDS or words & {"couinaud", "couinauds", "lebersegment", "lebersegmente"}
    ):
        return _segments([part for part in parts if part not in LIVER_WORDS | SEGMENT_WORDS | LITTLE_WORDS])
    if not any(re.fullmatch(r"[ctlsd]\d{1,2}", part) for part in parts):
        return None
    if words & (DISC_WORDS - {"between", "entre", "tra", "zwischen"}):
        plural = bool(words & {"discs", "disks", "bandscheiben", "disques", "discos", "dischi", "all"})
        return _discs([p for p in parts if p not in DISC_WORDS | VERTEBRA_WORDS | LITTLE_WORDS], plural)
    return _vertebrae(parts)


def _numbers(parts: Sequence[str]) -> list[int] | None:
    """Return the numbers of "3, 5-7 and 9" in order, or None if there is anything else."""
    found: list[int] = []
    expect_end = False
    for part in parts:
        number = ROMAN.get(part, int(part) if part.isdigit() else None)
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


def _ribs(parts: list[str]) -> Numbered | None:
    parts = [re.sub(r"^(\d+)(?:st|nd|rd|th|e|a|o|eme|er)$", r"\1", part) for part in parts]
    numbers = _numbers([part.lstrip("0") if part.isdigit() else part for part in parts])
    if numbers is None:
        return (
            Numbered(problem="unsupported", message="There are ribs 1 to 12.")
            if "" in [p.lstrip("0") for p in parts]
            else None
        )
    if not all(1 <= number <= 12 for number in numbers):
        return Numbered(problem="unsupported", message="There are ribs 1 to 12.")
    return Numbered(tuple(f"rib {number}" for number in numbers))


def _segments(parts: list[str]) -> Numbered | None:
    halves = [part for part in parts if re.fullmatch(r"(?:4|iv)[ab]", part)]
    whole = [re.sub(r"^(4|iv)[ab]$", r"\1", part) for part in parts]
    numbers = _numbers(whole)
    if numbers is None:
        return None
    if not all(number in LIVER_SEGMENTS for number in numbers):
        return Numbered(problem="unsupported", message="The liver has the segments 1 to 8.")
    names = tuple(LIVER_SEGMENTS[number] for number in numbers)
    if halves:
        return Numbered(
            problem="ambiguous", message="The model has segment 4 as a whole only.", suggestions=names
        )
    return Numbered(names)


def _level(part: str, letter: str = "") -> str | None:
    """Return the level that a part names; ``letter`` for a bare number after one."""
    if letter and part.isdigit():
        part = letter + part
    if found := re.fullmatch(r"([ctlsd])(\d{1,2})", part):
        return ("t" if found[1] == "d" else found[1]) + found[2]
    return None


def _spans(parts: Sequence[str]) -> list[tuple[str, str, str]] | None:
    """Return (first, separator, last) for each level or range, or None if a part is not understood."""
    spans: list[tuple[str, str, str]] = []
    separator = ","
    for part in parts:
        if part in ("-", "to", "/", ","):
            if part == "," and separator in ("-", "to", "/") and not spans:
                return None
            separator = part
            continue
        letter = spans[-1][2][0] if spans and separator in ("-", "to", "/", ",") else ""
        level = _level(part, letter)
        if level is None:
            return None
        if spans and separator in ("-", "to", "/") and spans[-1][1] == "":
            spans[-1] = (spans[-1][0], separator, level)
        elif spans and separator == "" and spans[-1][0] == level:
            continue
        elif spans and separator == "":
            return None
        else:
            spans.append((level, "", level))
        separator = ""
    return spans if spans and separator == "" else None


def _is_level(level: str) -> bool:
    return level in COLUMN or level == "l6"


def _between(first: str, last: str) -> list[str]:
    column = list(COLUMN)
    if "l6" in (first, last):
        column.insert(column.index("l5") + 1, "l6")
    low, high = sorted((column.index(first), column.index(last)))
    return column[low : high + 1]


def _vertebrae(parts: Sequence[str]) -> Numbered | None:
    named = any(part in VERTEBRA_WORDS - {"level", "levels", "spine"} for part in parts)
    kept = [part for part in parts if part not in VERTEBRA_WORDS | LITTLE_WORDS]
    if kept[:1] == ["between"]:
        return None
    duodenum = [p for p in kept if re.fullmatch(r"d[1-4]", p)]
    spans = _spans(kept)
    if spans is None:
        return _vertebral_body(kept)
    if not all(_is_level(level) for first, _, last in spans for level in (first, last)):
        return Numbered(problem="unsupported", message="There is no such vertebra.")
    if duodenum and not named:
        return Numbered(
            problem="ambiguous",
            message="A thoracic vertebra or a part of the duodenum?",
            suggestions=("duodenum",),
        )
    levels: list[str] = []
    for first, separator, last in spans:
        neighbours = len(_between(first, last)) == 2
        if separator in ("-", "/") and neighbours and not named:
            return _pair(first, last)
        levels.extend([first, last] if separator == "/" else _between(first, last))
    levels = list(dict.fromkeys(levels))
    names = vertebra_names()
    if missing := [level.upper() for level in levels if level not in names]:
        return Numbered(
            problem="unsupported", message=f"The model has no {', '.join(missing)}.", suggestions=("sacrum",)
        )
    return Numbered(tuple(names[level] for level in levels))


def _vertebral_body(kept: Sequence[str]) -> Numbered | None:
    """Return the question that "L3 body" asks: the model has whole vertebrae only."""
    rest = [part for part in kept if part not in BODY_WORDS]
    found = _vertebrae(rest) if rest and len(rest) < len(kept) else None
    if found is None or not found.structures:
        return None
    return Numbered(
        problem="ambiguous", message="The model has whole vertebrae only.", suggestions=found.structures
    )


def _pair(first: str, last: str) -> Numbered:
    """Return the question that "L4-L5" asks: two vertebrae, or the disc between them."""
    above, below = _between(first, last)
    names, discs = vertebra_names(), disc_names()
    candidates = [discs.get((above, below)), names.get(above), names.get(below)]
    return Numbered(
        problem="ambiguous",
        message=f"The vertebrae {above.upper()} and {below.upper()}, or the disc between them?",
        suggestions=tuple(name for name in candidates if name),
    )


def _discs(parts: Sequence[str], plural: bool) -> Numbered | None:
    flat = ["-" if part in (",", "to", "/") else part for part in parts]
    compact = [p for i, p in enumerate(flat) if not (p == "-" and (i == 0 or flat[i - 1] == "-"))]
    if len(compact) == 2 and "-" not in compact:
        compact.insert(1, "-")
    spans = _spans(compact)
    if spans is None or len(spans) != 1 or spans[0][1] == "":
        return (
            Numbered(problem="ambiguous", message="Name a disc by its two vertebrae, such as L4/L5 disc.")
            if spans
            else None
        )
    first, _, last = spans[0]
    if not (_is_level(first) and _is_level(last)):
        return Numbered(problem="unsupported", message="There is no such disc.")
    levels = _between(first, last)
    pairs = list(zip(levels, levels[1:]))
    if not pairs or not all(pair in disc_names() for pair in pairs):
        return Numbered(problem="unsupported", message="The model has the discs from T9/T10 to L5/S1.")
    if len(pairs) > 1 and not plural:
        return Numbered(
            problem="ambiguous",
            message="Say discs to ask for several.",
            suggestions=tuple(disc_names()[p] for p in pairs),
        )
    return Numbered(tuple(disc_names()[pair] for pair in pairs))
