"""Words: cleaning text, splitting it, and comparing it regardless of spelling, plural and order."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import Any

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d"
LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "’": "'", "‘": "'", "´": "'", "`": "'"})
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "ae", "Ö": "oe", "Ü": "ue"})
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
ENDING_IN_S = frozenset({"pons", "lens", "pancreas", "biceps", "triceps", "quadriceps", "dens", "caput"})
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_ELIDED = re.compile(r"\b(?:l|d|dell|nell|all|dall|un)'(?=\w)")
_POSSESSIVE = re.compile(r"(?<=\w)'s\b")
_AND = re.compile(r"[&+/]")
_WORD = re.compile(r"[^\W_]+")

Key = tuple[str, ...]


def read_data(name: str) -> str:
    """Return the content of one of the vocabulary's data files."""
    return resources.files("textsegment.vocabulary").joinpath("data", name).read_text("utf-8")


def read_table(name: str) -> list[list[str]]:
    """Return the rows of a tab-separated data file without its comments."""
    return [line.split("\t") for line in read_data(name).splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=1)
def word_lists() -> dict[str, Any]:
    """Return the word lists of ``data/words.json``, every word cleaned."""
    lists: dict[str, Any] = json.loads(read_data("words.json"))
    lists["sides"] = {clean(w): side for side, words in lists["sides"].items() for w in words}
    lists["ordinals"] = {clean(word): number for word, number in lists["ordinals"].items()}
    lists["negation"] = frozenset(" ".join(tokens(clean(word))) for word in lists["negation"])
    for name in (
        "side_joins",
        "side_nouns",
        "side_leads",
        "function_words",
        "fillers",
        "directions",
        "derived",
        "disease",
        "devices",
        "polite",
    ):
        lists[name] = frozenset(clean(word) for word in lists[name])
    return lists


@lru_cache(maxsize=8192)
def clean(text: str) -> str:
    """Return the text in lower case, without accents, and with plain hyphens and single spaces."""
    if text.isascii():
        text = text.lower().replace("`", "'")
    else:
        text = unicodedata.normalize("NFKC", text).casefold().translate(LETTERS)
        text = "".join("-" if char in DASHES else char for char in text)
        text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFC", text)
    if "'" in text:
        text = _POSSESSIVE.sub("", _ELIDED.sub("", text))
    return " ".join(text.split())


def tokens(cleaned: str) -> list[str]:
    """Return the words of a cleaned text; ``&``, ``+`` and ``/`` read as ``and``."""
    return _WORD.findall(_AND.sub(" and ", cleaned))


def raw_key(text: str) -> str:
    """Return a key from the words of a text in order, ignoring case, accents and punctuation."""
    words = tokens(clean(text))
    return "".join(words) if CJK.search(text) else " ".join(words)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return the singular of an English or Latin word, in American spelling, to compare words by."""
    lists = word_lists()
    word = lists["spelling"].get(word, word)
    word = lists["plurals"].get(word, word)
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "sses", "xes")):
        word = word[:-2]
    elif word.endswith("ae") or (
        word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in ENDING_IN_S
    ):
        word = word[:-1]
    return str(lists["spelling"].get(word, word))


def bag_key(words: Iterable[str]) -> Key:
    """Return a key from words that ignores their order, number and spelling, and drops function words.

    The adjective of an organ counts as the organ, but only next to another word: a "renal cyst" is a cyst of
    the kidney, while "renal" on its own is not an organ.
    """
    lists = word_lists()
    kept: list[str] = []
    for word in words:
        if word.isdigit() and kept:
            kept[-1] += f" {word}"  # "rib 7" is the seventh rib, "7 ribs" are seven of them
        elif word not in lists["function_words"]:
            kept.append(stem(word))
    if len(kept) > 1:
        kept = [lists["adjectives"].get(word, word) for word in kept]
    return tuple(sorted(kept))
