"""Edits to the text of a request, made by the anatomy tree and by answers to questions. Independent of Qt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from textsegment.vocabulary.language.parse import split_terms
from textsegment.vocabulary.resolve import Resolution, resolve

_FEW = 8


def structures_of(resolutions: Sequence[Resolution]) -> tuple[str, ...]:
    """Return the prompts of all resolutions, each once."""
    return tuple(dict.fromkeys(name for each in resolutions for name in each.structures))


def count_terms(text: str) -> int:
    """Return the number of terms in a text."""
    return sum(map(len, split_terms(text)))


def with_structures(
    text: str, found: Sequence[Resolution], wanted: Sequence[str], modality: str, phrase: str = ""
) -> str:
    """Return the text with structures added; those it already names are not repeated.

    Args:
        text: Text as typed.
        found: Resolutions of its terms.
        wanted: Exact names of the structures to add.
        modality: ``CT``, ``MR`` or ``PT``.
        phrase: Shorter text for all of ``wanted``; used if it resolves to exactly these structures.
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
    """Return the text without some structures; a group is replaced by its remaining members.

    Args:
        found: Resolutions of the terms of the text.
        unwanted: Names of the structures to remove.
        modality: ``CT``, ``MR`` or ``PT``.
        known: Names of the structures that can be requested; other members of a group are dropped.
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
    """Return the text with terms replaced by the names of structures.

    Args:
        found: Resolutions of the terms of the text.
        answers: Names by the index of the term; an empty name leaves the term out.
        modality: ``CT``, ``MR`` or ``PT``.
    """
    kept = structures_of([each for number, each in enumerate(found) if number not in answers])
    pieces = [answers.get(number, each.term) for number, each in enumerate(found)]
    return _joined(pieces, {*kept, *answers.values()} - {""}, modality)


def _means(phrase: str, wanted: Collection[str], modality: str) -> bool:
    return set(structures_of(resolve(phrase, modality))) == set(wanted)


def _joined(pieces: Sequence[str], target: Collection[str], modality: str) -> str:
    """Join terms by commas, or by semicolons where neighbors would change each other's meaning."""
    pieces = [piece for piece in pieces if piece]
    text = ", ".join(pieces)
    return text if len(pieces) <= _FEW and _means(text, target, modality) else "; ".join(pieces)
