"""Marks: ticks, crosses, strike-through, comments and list numbers, read before the text is split into words.

Splitting into words loses the meaning of marks: "☐ spleen", "~~liver~~", "liver, -spleen" and "r/o tumor" all
contain names that were not asked for. So a text runs only if every mark in it is known to be meaningless; any
other mark raises a question.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from textsegment.caution import Caution
from textsegment.vocabulary.language.series import parse_numbered
from textsegment.vocabulary.language.words import clean, word_lists

TICKS = "✓✔☑✅🗸👍"
SILENT = "®™©\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
UNSEEN = ("Cf", "Cc")  # control characters, soft hyphens, joiners
PLAIN = set(",;/&+-_.:()'\"*#?!|`~[]>" + "•●‣◦▪·・。、，；：（）／＋－！？｜…‐‑‒–—―−“”„‟‘’‚‹›«»´¨º°")
CHECKED = re.compile(r"^\s*(?:[-*+•]\s+)?\[[xX✓✔]\]\s+", re.MULTILINE)
BULLET = re.compile(r"^\s*(?:[•●‣◦▪·]\s*|[-–—*+]\s+|\+(?=\w)|#+\s+|>\s*)", re.MULTILINE)
ITEM = re.compile(r"[,;\n\r|]+")
LINE_NUMBER = re.compile(r"\s*(?:\((\d{1,3})\)|(\d{1,3})[.)]?)\s+(.*\S)\s*")
NUMBER_BEHIND = re.compile(r"\s*(.*\S)\s*\t\s*(\d{1,3})\s*")
# Marks that cannot be part of a name: comments, empty boxes, a minus before a word, a sign inside a word.
DOUBTFUL = re.compile(
    r"//|/\*|\*/|--|−−|––|\[\s*\]|\(\s*\)|\(\s*[?!]|\w[*>]\w|\w~[A-Za-z]|(?<![\w)])\s*−\s*\w|\w\s+−|−\s+\w|~(?!\s?\w)"
    r"|(?<!\w)\s?~|~~|[^\s>]\s*>|\?(?=\s*[^\s?!.\n\"')])|(?<![\w?!)\"'.\s])\?|^\s*\?"
)
ASKED = re.compile(r"(?<![^\W\d_])([^\W\d_]+)[\s)\]]*[?!]")  # "kidney, right?" asks for confirmation
GAP = re.compile(r"\s{9,}")  # patterns that allow for spaces take the square of their number
SHORTHAND = re.compile(r"(?<![\w/])([a-z])/([a-z]{0,2})(?!\w)", re.IGNORECASE)
FOR_EXAMPLE = re.compile(
    r"\b(?:i\.\s?e|e\.\s?g|z\.\s?b|d\.\s?h|p\.\s?ex|p\.\s?ej|viz|c\.\s?f|cf)\.", re.IGNORECASE
)


class Marked(NamedTuple):
    """A text without its meaningless marks, and the question raised by its other marks (may be empty)."""

    text: str
    question: str


def read_marks(text: str) -> Marked:
    r"""Remove ticks, bullets and list numbers from a text, and return the question its other marks raise.

    Example:
        >>> read_marks("1. liver\n2. spleen")
        Marked(text='liver\nspleen', question='')
        >>> bool(read_marks("☑ liver\n☐ spleen").question)
        True
    """
    text = "".join(
        c for c in text if c.isspace() or (c not in SILENT and unicodedata.category(c) not in UNSEEN)
    )
    text = re.sub(r"\b[Bb]/[Ll]\b", "bilateral", GAP.sub(_shorter_gap, text))
    question = _question(text)
    text = BULLET.sub("", CHECKED.sub("", text))
    text = "".join(" " if c in TICKS else c for c in text)
    text, doubt = _without_list_numbers(text)
    return Marked(text.strip("\n"), question or doubt)


def _shorter_gap(gap: re.Match[str]) -> str:
    """Return a short gap that separates as the long one does: into lines, columns, or words."""
    return next((mark for mark in ("\n\n", "\r", "\t") if mark[0] in gap[0]), " " * 8)


def _question(text: str) -> str:
    if unknown := next((c for c in text if not _is_plain(c)), ""):
        return Caution("term_sign", sign=unknown)
    bare = CHECKED.sub("✓", text)
    if found := DOUBTFUL.search(BULLET.sub("", bare)):
        return Caution("term_sign", sign=found[0].strip())
    if any(clean(word) in word_lists()["sides"] for word in ASKED.findall(bare)):
        return Caution("term_sign", sign="?")
    if (found := SHORTHAND.search(bare)) and {part.lower() for part in found.groups()} != {"l", "r"}:
        return Caution("term_sign", sign=found[0])
    if found := FOR_EXAMPLE.search(bare):
        return Caution("term_sign", sign=found[0])
    return _question_of_items([item.strip() for item in ITEM.split(bare) if item.strip()])


def _is_plain(char: str) -> bool:
    return char in PLAIN or char in TICKS or char.isspace() or unicodedata.category(char)[0] in "LMN"


def _question_of_items(items: list[str]) -> str:
    """Return the question raised by a list whose items carry different marks; may be empty."""
    ticked = [any(c in TICKS for c in item) for item in items]
    if any(ticked) and not all(ticked):
        return Caution("term_sign", sign="✓")
    if any(re.match(r"[-+–—]\w", item) for item in items[1:]) and not re.match(r"[-+–—]", items[0]):
        return Caution("term_sign", sign="-")
    return ""


def _without_list_numbers(text: str) -> tuple[str, str]:
    """Remove the numbers of a list, and return a question where they may belong to a name."""
    lines = [line for line in text.splitlines() if line.strip()]
    for pattern, number_at in ((LINE_NUMBER, 0), (NUMBER_BEHIND, -1)):
        found = [pattern.fullmatch(line) for line in lines]
        if len(lines) < 2 or not all(found):
            continue
        groups = [[group for group in match.groups() if group is not None] for match in found if match]
        numbers = [int(group[number_at]) for group in groups]
        names = [group[-1] if number_at == 0 else group[0] for group in groups]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] < 1:
            continue
        if any(
            parse_numbered(f"{n}. {name}") and not parse_numbered(name)
            for n, name in zip(numbers, names, strict=True)
        ):
            return text, Caution("term_numbers")
        return "\n".join(names), ""
    return text, ""
