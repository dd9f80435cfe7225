"""The text of a request as the anatomy tree and the answers to questions change it. No Qt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from textsegment.vocabulary.language.parse import split_terms
from textsegment.vocabulary.resolve import Resolution, resolve

_FEW = 8


def structures_of(resolutions: Sequence[Resolution]) -> tuple[str, ...]:
    """Return the prompts that run, each once."""
    return tuple(dict.fromkeys(name for each in resolutions for name in each.structures))


def count_terms(text: str) -> int:
    """Return how many terms a text has."""
    return sum(map(len, split_terms(text)))


def with_structures(
    text: str, found: Sequence[Resolution], wanted: Sequence[str], modality: str, phrase: str = ""
) -> str:
    """Return the text with structures added; what it names already is not named again.

    Args:
        text: As typed.
        found: What its terms stand for.
        wanted: Exact names of structures.
        modality: ``CT``, ``MR`` or ``PT``.
        phrase: Shorter words for all of ``wanted``; used if they are understood so.
    """
    held = structures_of(found)
    missing = [name for name in wanted if name not in held]
    if not missing:
        return text
    if phrase and len(wanted) > 1 and _means(phrase, wanted, modality):
        missing = [phrase]
    return _joined([text.rstrip(" ,;"), *missing], {*held, *wanted}, modality)


def without_structures(
    found: Sequence[Resolution], unwanted: Collection[str], modality: str, known: Collection[str]
) -> str:
    """Return the text without structures; a group is replaced by what is left of it.

    Args:
        found: What the terms of the text stand for.
        unwanted: Names of structures.
        modality: ``CT``, ``MR`` or ``PT``.
        known: What can be asked for; nothing else is left of a group.
    """
    pieces: list[str] = []
    target: set[str] = set()
    for each in found:
        if set(each.structures).isdisjoint(unwanted):
            pieces.append(each.term)
            target.update(each.structures)
        else:
            left = [name for name in each.structures if name not in unwanted and name in known]
            pieces.extend(left)
            target.update(left)
    return _joined(list(dict.fromkeys(pieces)), target, modality)


def with_answers(found: Sequence[Resolution], answers: Mapping[int, str], modality: str) -> str:
    """Return the text with terms replaced by names.

    Args:
        found: What the terms of the text stand for.
        answers: Names by the number of the term; empty to leave a term out.
        modality: ``CT``, ``MR`` or ``PT``.
    """
    kept = structures_of([each for number, each in enumerate(found) if number not in answers])
    pieces = [answers.get(number, each.term) for number, each in enumerate(found)]
    return _joined(pieces, {*kept, *answers.values()} - {""}, modality)


def _means(phrase: str, wanted: Collection[str], modality: str) -> bool:
    return set(structures_of(resolve(phrase, modality))) == set(wanted)


def _joined(pieces: Sequence[str], target: Collection[str], modality: str) -> str:
    """Join terms so that neighbours do not change each other's meaning: by comma, or else by semicolon."""
    pieces = [piece for piece in pieces if piece]
    text = ", ".join(pieces)
    return text if len(pieces) <= _FEW and _means(text, target, modality) else "; ".join(pieces)
