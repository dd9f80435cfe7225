"""Headings and default names: "OARs: liver", "Segment_1: liver", "class 5 rib".

A heading or a program-generated number never adds to the meaning of a name but may change it ("Dx: lung"), so
such a term raises a question. Exceptions are headings that mean nothing or only a side: "Segment: liver",
"R: kidney", "kidney: right".
"""

from __future__ import annotations

import re

from textsegment.vocabulary.language.levels import NUMBER_SIGN
from textsegment.vocabulary.language.openers import request_words
from textsegment.vocabulary.language.words import clean, tokens, word_lists

SIDE_NAMES = frozenset({"l", "r", "left", "right", "links", "rechts", "both"})
# Default names in 3D Slicer and label maps; "liver_segment_1" is an anatomical name, "Segment_1" is not.
DEFAULT_NAME = re.compile(
    r"(?:^|[^a-z0-9])(?:label|class|klasse|classe|roi|voi|item|object|structure|organ|contour|region|channel|id|mask"
    r"|index|value|part)[\s_#-]*\d+(?![a-z\d])|(?:^|[^a-z0-9_])segment_\d+|^segment[\s-]*\d+\s*[-(]|^seg_\d+|\(\d+\)$"
)
REASON = (
    '"{}" is a heading or a name made by a program and may change what is meant; name the structure alone.'
)


def find_heading(term: str) -> str:
    """Return the question raised by a heading or a default name in a term, or an empty string.

    Example:
        >>> find_heading("kidney: right"), bool(find_heading("Dx: lung"))
        ('', True)
    """
    text = clean(term)
    if found := DEFAULT_NAME.search(text):
        return REASON.format(found[0].strip(" _-("))
    head, colon, rest = text.partition(":")
    if not colon or not rest.strip() or _says_a_side(head) or _is_side(rest) or _is_request(head):
        return ""
    return REASON.format(f"{head.strip()}:")


def has_heading(term: str) -> bool:
    """Return whether a term begins with a heading that may also apply to the terms after it."""
    head, _, rest = clean(term).partition(":")
    return bool(rest.strip()) and not _is_request(head)


def _says_a_side(head: str) -> bool:
    """Return whether a heading is unambiguously a side; "Dx", "Re" and "RT" have other meanings too."""
    words = [word for word in tokens(head) if word not in word_lists()["side_nouns"]]
    return bool(words) and all(word in SIDE_NAMES for word in words)


def _is_side(rest: str) -> bool:
    words = tokens(rest)
    return bool(words) and all(word in word_lists()["sides"] for word in words)


def _is_request(head: str) -> bool:
    """Return whether the heading is a request ("segment: liver") or a number sign ("No. 3: rib")."""
    if NUMBER_SIGN.search(f"{head}:") or re.fullmatch(r"\W*(?:no|nr)\b\.?\s*\d+", head.strip()):
        return True
    return all(word in request_words() for word in tokens(head))
