"""Splitting of typed text into terms, at commas, semicolons, slashes, line breaks and "and"."""

from __future__ import annotations

import re

from textsegment.vocabulary.language.levels import ROMAN
from textsegment.vocabulary.language.words import CJK, clean, tokens, word_lists

HARD = re.compile(r"[;；\n\r\t|]+")
COMMA = re.compile(r"[,，、､]+")
WEAK = re.compile(
    r"\s*[/&+]\s*|\s+(?:and|und|et|y|e|ed|en|as well as|sowie|u\.?|plus|along with"
    r"|together with|and then)\s+",
    re.IGNORECASE,
)
WEAK_CJK = re.compile(r"[/&+]|和|与|與|及|と|および|以及")
MORE_NUMBERS = re.compile(
    r"(?:(?:and|und|et|y|e|en|&)\s+)?(?:\d{1,2}|[ivx]{1,4})[ab]?"
    r"(?:\s*(?:and|und|et|y|e|en|to|[-&+/])\s*(?:\d{1,2}|[ivx]{1,4})[ab]?)*"
)
WHOLE = re.compile(
    r"\b(?:or|oder|ou|of wel|between|zwischen|entre|tra|fra|tussen)\b|之间|の間", re.IGNORECASE
)


def split_terms(text: str) -> list[list[str]]:
    """Split a text into terms, grouped by line and semicolon.

    A comma does not split before a side on its own ("kidney, left") or within numbers ("ribs 3, 4, 5").
    """
    groups = []
    text = "\n".join(map(_with_side_column, text.splitlines()))
    for part in HARD.split(text):
        terms: list[str] = []
        for item in COMMA.split(part):
            item = re.sub(r"^\s*[-*•]\s+", "", item).strip()
            item = re.sub(r"^(?:and|und|et|y|e|ed|en)\s+", "", item, flags=re.IGNORECASE) if terms else item
            if not item or (terms and clean(item).strip(" .!") in word_lists()["polite"]):
                continue
            if terms and _continues(terms[-1], item):
                terms[-1] = f"{terms[-1]}, {item}"
            else:
                terms.append(item)
        if terms:
            groups.append(terms)
    return groups


def _with_side_column(line: str) -> str:
    """Return a line as one phrase if its two columns are a side and a structure."""
    cells = re.split(r"[\t|]", line)
    alone = [all(word in word_lists()["sides"] for word in tokens(clean(cell))) for cell in cells]
    return " ".join(cells) if len(cells) == 2 and any(alone) else line


def _continues(previous: str, item: str) -> bool:
    words = tokens(clean(item))
    lists = word_lists()
    said = ("sides", "side_joins", "side_leads", "side_nouns", "function_words")
    if any(word in lists["sides"] for word in words) and all(
        any(word in lists[n] for n in said) for word in words
    ):
        return not any(word in lists["sides"] for word in tokens(clean(previous)))
    named = any(word in lists["sides"] for word in tokens(clean(previous)))
    numbers = [word for word in clean(item).split() if named or word not in lists["sides"]]
    number = MORE_NUMBERS.fullmatch(" ".join(numbers))
    last = tokens(clean(previous))[-1:]
    return bool(number and last and (re.search(r"\d[ab]?$", last[0]) or last[0] in ROMAN))


def split_weakly(term: str) -> list[str]:
    """Split a term at "and", "&", "+" and "/"; returns one piece if there is nothing to split.

    "or" leaves a choice open and "between" means neither of the two, so such a term is not split.
    """
    if WHOLE.search(term):
        return [term]
    pattern = WEAK_CJK if CJK.search(term) else WEAK
    pieces = [piece.strip() for piece in pattern.split(term)]
    return [piece for piece in pieces if piece] or [term]
