"""Phrases that people write around a name: "please segment the …", "… segmentieren", "请分割…"."""

from __future__ import annotations

import re
from functools import lru_cache

from textsegment.vocabulary.language.words import CJK, clean, tokens, word_lists

# Sides of the eyes in ophthalmology; elsewhere "os" is a bone or an article.
EYE_SIDE = re.compile(r"\b(?:os|od)\b")
EYE = re.compile(r"\b(?:eyes?|eyeballs?|globes?|lens|lenses|optic|lacrimal)\b")
BARE_SEGMENT = re.compile(r"segment(?: (?!of\b)|:\s*)(?=\D+$|[ctls]\d)")
SIDE_BEHIND_NUMBER = re.compile(r"(?<=\d)(?=[LR]$)")  # "Rib3L"
SIDE_BEFORE = re.compile(r"^(linke[rns]?|rechte[rns]?|[lr])(?=[a-z]{4,}$)")  # "lkidney", "linkernier"
IMAGE_WORDS = {
    **dict.fromkeys(("ct", "cts", "cta", "cbct"), "CT"),
    **dict.fromkeys(("mr", "mri", "mrt", "irm", "t1", "t2", "t1w", "t2w", "flair"), "MR"),
    **dict.fromkeys(("pet", "fdg"), "PT"),
}
IMAGE = re.compile(
    r"\s+(?:in|on|from|within|auf|im|dans|en|nel|na|no)\s+"
    r"(?:(?:the|this|an?|my|that|these|our|given|attached|whole|axial|coronal|sagittal|abdominal|abdomen|chest"
    r"|thoracic|thorax|pelvic|brain|head|neck|cardiac|spine|spinal|knee|contrast|enhanced|low|dose|planning"
    r"|body|3d|venous|arterial|phase|patients?|diesem|der|dem|ce|cet|cette|esta?|questa?|uma?|el|la|t[12]w?|flair"
    r"|weighted|fdg)[\s-]+)*"
    r"(?:cts?|cta|cbct|mrs?|mris?|mrt|irm|pet|scans?|images?|volume|study|series|dataset|exam|scanner|bild"
    r"|imagen|imagem|immagine|tac|tc)(?:[\s-]+(?:scans?|images?|volume|study|series|exam))?[\s.!?]*$"
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def without_request(term: str, modality: str) -> str:
    """Clean a term, removing "show me the" and "in this CT" and expanding abbreviations such as "V. cava"."""
    text = clean(term).lstrip("-*• ")
    while (shorter := _without_one(_without_image(text, modality))) != text:
        text = shorter
    text = re.sub(r"\bhand[- ]side\b", "side", text)
    if EYE.search(text):
        text = EYE_SIDE.sub(lambda m: {"os": "left", "od": "right"}[m[0]], text)
    return re.sub(
        r"\b(aa?|vv?|nn?|mm?|gl|art|gld)\.\s*(?=[a-z])", lambda m: f"{word_lists()['latin'][m[1]]} ", text
    )


def other_readings(term: str) -> list[str]:
    """Return alternative readings of a term that was not understood: "Segment liver", "LParotid"."""
    readings = [
        CAMEL.sub(" ", term),
        SIDE_BEHIND_NUMBER.sub(" ", term),
        SIDE_BEFORE.sub(r"\1 ", clean(term)),
        BARE_SEGMENT.sub("", clean(term)),
    ]
    return [reading for reading in readings if reading.strip() and reading not in (term, clean(term))]


def _without_image(text: str, modality: str) -> str:
    """Remove a phrase such as "in abdominal CT", unless it names a modality other than that of the image."""
    found = IMAGE.search(text)
    named = {IMAGE_WORDS[word] for word in tokens(found[0]) if word in IMAGE_WORDS} if found else set()
    return text[: found.start()].strip() or text if found and named <= {modality} else text


def _without_one(text: str) -> str:
    opened = _openers().match(text)
    rest = text[opened.end() :] if opened else text
    closed = _closers().search(rest)
    rest = rest[: closed.start()] if closed else rest
    return rest.strip() or text


@lru_cache(maxsize=1)
def request_words() -> frozenset[str]:
    """Return the words of a request that may stand alone before a colon: "please segment:"."""
    lists = word_lists()
    phrases = [*lists["openers"], "segment", "segmentiere", "the", "following"]
    return frozenset(word for phrase in phrases for word in tokens(clean(phrase)))


@lru_cache(maxsize=1)
def _openers() -> re.Pattern[str]:
    """Return the pattern for a verb with its article, or for an article that is not an anatomical word."""
    lists = word_lists()
    verbs, cjk = _split(lists["openers"])
    articles = _any_of(lists["articles"])
    after_verb = _any_of([*lists["articles"], *lists["function_words"], "my"])
    return re.compile(rf"(?:{verbs})(?:\s*:\s*|\s+(?:(?:{after_verb})\s+)?)|(?:{articles})\s+|(?:{cjk})")


@lru_cache(maxsize=1)
def _closers() -> re.Pattern[str]:
    words, cjk = _split(word_lists()["closers"])
    return re.compile(rf"(?:[\s,]+(?:{words})|(?:{cjk}))[\s.!?]*$")


def _split(phrases: list[str]) -> tuple[str, str]:
    plain = [phrase for phrase in phrases if not CJK.search(phrase)]
    return _any_of(plain), _any_of([phrase for phrase in phrases if CJK.search(phrase)])


def _any_of(phrases: list[str]) -> str:
    return "|".join(re.escape(clean(phrase)) for phrase in sorted(phrases, key=len, reverse=True))
