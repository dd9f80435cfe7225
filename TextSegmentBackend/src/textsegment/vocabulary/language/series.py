"""Numbered anatomy: vertebrae and discs with their ranges, ribs, and Couinaud segments of the liver.

A text matches only if every word of it is understood; otherwise the result is None and other rules are tried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from textsegment.caution import Caution
from textsegment.vocabulary.language.levels import (
    ROMAN,
    Span,
    is_level,
    levels_between,
    read_numbers,
    read_parts,
    read_spans,
    series_words,
)
from textsegment.vocabulary.language.words import clean, word_lists
from textsegment.vocabulary.structures import load_structures

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
# "a third of the rib" is a fraction of a rib, not the third rib.
PART_OF = re.compile(r"\b(?:third|quarter|fourth|fifth|sixth|eighth|tenth|spine) of\b")
# "5) rib" is item five of a list, not the fifth rib.
LIST_ITEM = re.compile(r"^\(?\d+\)")
# "7 ribs" counts ribs; it does not name the seventh.
COUNTED = re.compile(r"^\W*\d+ (?:ribs|vertebrae|segments|discs|disks|liver|hepatic|rippen|wirbel)\b")


@dataclass(frozen=True)
class Numbered:
    """Meaning of a text with numbered anatomy.

    Attributes:
        structures: Names of the structures, in anatomical order; may be empty.
        problem: Why the text cannot run: ``unsupported`` (the model has no such structure) or ``ambiguous``;
            empty if it can.
        message: Explanation for the user.
        suggestions: Structures that may have been meant.
    """

    structures: tuple[str, ...] = ()
    problem: str = ""
    message: str = ""
    suggestions: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def vertebra_names() -> dict[str, str]:
    """Return the structure names of all vertebrae that the model has, keyed by level (``l4``)."""
    names = {}
    for name in load_structures():
        if found := re.fullmatch(r"(?:cervical|thoracic|lumbar|sacral) vertebrae \d+ \(([ctls]\d+)\)", name):
            names[found[1]] = name
    return names


@lru_cache(maxsize=1)
def disc_names() -> dict[tuple[str, str], str]:
    """Return the name of the structure for every disc, keyed by the levels above and below it."""
    names = {}
    for name in load_structures():
        if name.startswith("intervertebral disc between"):
            levels = [*re.findall(r"\(([tl]\d+)\)", name), "s1"]
            names[levels[0], levels[1]] = name
    return names


def parse_numbered(text: str) -> Numbered | None:
    """Return the meaning of a text with numbered anatomy, or None if it is not fully understood as such.

    Args:
        text: One term, from which any side has already been removed.
    """
    if any(pattern.search(clean(text)) for pattern in (COUNTED, PART_OF, LIST_ITEM)):
        return None
    parts = read_parts(clean(text))
    words, known = {part for part in parts if part.isalpha() and part != "to"}, series_words()
    if words & known["rib"]:
        if not _on_one_side(parts, "rib") or (words & known["from"] and not {"to", "-"} & set(parts)):
            return None
        return _ribs(_without(parts, "rib", "little"))
    if words & known["liver"] and words & (known["segment"] | known["couinaud"]):
        if not _on_one_side(parts, "segment", "couinaud"):
            return None
        return _segments(_without(parts, "liver", "segment", "couinaud", "little"))
    if not any(re.fullmatch(r"[ctlsd]\d{1,2}", part) for part in parts):
        return None
    if below := _disc_of(clean(text), parts):
        return below
    if words & (known["disc"] - known["between"]):
        parts = ["s1" if part == "sacrum" else part for part in parts]
        return _discs(_without(parts, "disc", "vertebra", "little"), bool(words & known["discs"]))
    return _vertebrae(parts)


def _without(parts: Sequence[str], *kinds: str) -> list[str]:
    words = series_words()
    return [part for part in parts if not any(part in words[kind] for kind in kinds)]


def _on_one_side(parts: Sequence[str], *kinds: str) -> bool:
    """Return whether all numbers precede the noun or all follow it, unlike in "1. rib 5" and "i.e. rib 5"."""
    words = series_words()
    nouns = [at for at, part in enumerate(parts) if any(part in words[kind] for kind in kinds)]
    numbers = [at for at, part in enumerate(parts) if part in ROMAN or re.fullmatch(r"\d+[ab]?", part)]
    before = [at for at in numbers if at < nouns[0]]
    if any(len(parts[at]) == 1 and parts[at].isalpha() and parts[at] != "i" for at in before):
        return False  # "x rib" and "v. segment" are not numbers
    return not before or len(before) == len(numbers)


def _unsupported(message: str, *suggestions: str) -> Numbered:
    return Numbered(problem="unsupported", message=message, suggestions=suggestions)


def _ambiguous(message: str, suggestions: Sequence[str] = ()) -> Numbered:
    return Numbered(problem="ambiguous", message=message, suggestions=tuple(suggestions))


def _ribs(parts: list[str]) -> Numbered | None:
    numbers = read_numbers([re.sub(r"^(\d+)a$", r"\1", part) for part in parts])  # "5ª costilla"
    if numbers is None:
        return None
    if not all(1 <= number <= 12 for number in numbers):
        return _unsupported(Caution("term_ribs"))
    return Numbered(tuple(f"rib {number}" for number in numbers))


def _segments(parts: list[str]) -> Numbered | None:
    whole = [re.sub(r"^(4|iv)[ab]$", r"\1", part) for part in parts]
    numbers = read_numbers(whole)
    if numbers is None:
        return None
    if not all(number in LIVER_SEGMENTS for number in numbers):
        return _unsupported(Caution("term_liver_segments"))
    names = tuple(LIVER_SEGMENTS[number] for number in numbers)
    return _ambiguous(Caution("term_liver_segment_4"), names) if whole != parts else Numbered(names)


def _vertebrae(parts: Sequence[str]) -> Numbered | None:
    named = bool(set(parts) & (series_words()["vertebra"] - {"level", "levels", "spine"}))
    if set(parts) & series_words()["from"] and not set(parts) & {"to", "-"}:
        return None
    kept = _without_region(_without(parts, "vertebra", "little"))
    spans = read_spans(kept)
    if spans is None:
        return _vertebral_body(kept)
    if not all(is_level(level) for span in spans for level in (span.first, span.last)):
        return _unsupported(Caution("term_no_vertebra"))
    if not named and any(re.fullmatch(r"d[1-4]", part) for part in kept):
        return _ambiguous(Caution("term_vertebra_or_duodenum"), ["duodenum"])
    pairs = [span for span in spans if span.separator in ("-", "/") and _are_neighbours(span)]
    if pairs and not named:
        return _pair(pairs[0])
    levels = dict.fromkeys(level for span in spans for level in _levels_of(span))
    names = vertebra_names()
    if missing := [level.upper() for level in levels if level not in names]:
        return _unsupported(Caution("term_vertebra_lacking", names=", ".join(missing)), "sacrum")
    return Numbered(tuple(names[level] for level in levels))


def _without_region(parts: list[str]) -> list[str]:
    """Drop a region such as "lumbar" if all levels belong to it; otherwise return all parts."""
    for letter, names in word_lists()["levels"].items():
        rest = [part for part in parts if not re.fullmatch(names, part)]
        levels = [part for part in rest if re.fullmatch(r"[a-z]\d+", part)]
        if len(rest) < len(parts) and levels and all(level[0] == letter for level in levels):
            return rest
    return parts


def _are_neighbours(span: Span) -> bool:
    return len(levels_between(span.first, span.last)) == 2


def _levels_of(span: Span) -> list[str]:
    return [span.first, span.last] if span.separator == "/" else levels_between(span.first, span.last)


def _vertebral_body(kept: Sequence[str]) -> Numbered | None:
    """Return the question raised by "L3 body", since the model has whole vertebrae only."""
    rest = _without(kept, "body")
    found = _vertebrae(rest) if rest and len(rest) < len(kept) else None
    if found is None or not found.structures:
        return None
    return _ambiguous(Caution("term_whole_vertebrae"), found.structures)


def _pair(span: Span) -> Numbered:
    """Return the question raised by "L4-L5": the two vertebrae, or the disc between them."""
    above, below = levels_between(span.first, span.last)
    names, discs = vertebra_names(), disc_names()
    candidates = [discs.get((above, below)), names.get(above), names.get(below)]
    message = Caution("term_vertebrae_or_disc", above=above.upper(), below=below.upper())
    return _ambiguous(message, [name for name in candidates if name])


def _disc_of(text: str, parts: Sequence[str]) -> Numbered | None:
    """Return the disc below a vertebra written in words: "disc of fourth lumbar vertebra"."""
    levels = [part for part in parts if re.fullmatch(r"[ctls]\d{1,2}", part)]
    if not re.search(r"\bdis[ck]s? of (?:the )?(?:\w+ ){1,2}vertebra\b", text) or len(levels) != 1:
        return None
    names = [name for (above, _), name in disc_names().items() if above == levels[0]]
    return Numbered(tuple(names)) if names else _unsupported(Caution("term_disc_lacking"))


def _discs(parts: Sequence[str], plural: bool) -> Numbered | None:
    levels = [part for part in parts if part not in (",", "to", "/", "-")]
    spans = read_spans([levels[0], "-", *levels[1:]]) if len(levels) == 2 else None
    if spans is None:
        alone = len(levels) == 1 and read_spans(levels)
        return _ambiguous(Caution("term_disc_unsaid")) if alone else None
    first, last = spans[0].first, spans[0].last
    if not (is_level(first) and is_level(last)):
        return _unsupported(Caution("term_no_disc"))
    pairs, names = list(pairwise(levels_between(first, last))), disc_names()
    if not pairs or not all(pair in names for pair in pairs):
        return _unsupported(Caution("term_disc_lacking"))
    found = tuple(names[pair] for pair in pairs)
    return Numbered(found) if plural or len(found) == 1 else _ambiguous(Caution("term_several_discs"), found)
