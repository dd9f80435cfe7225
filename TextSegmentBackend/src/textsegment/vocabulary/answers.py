"""Accepting all suggestions for a text at once, for the button in the panel and the key in the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from textsegment.vocabulary.availability import as_available, missing_from
from textsegment.vocabulary.resolution import Resolution
from textsegment.vocabulary.resolve import resolve


class Answered(NamedTuple):
    """A text in which every unambiguous suggestion has been accepted.

    Attributes:
        text: The text to run instead.
        taken: Pairs of (term, names that replaced it), in the order of the text.
        left: Terms that still require a choice or have no suggestion; they remain in the text.
    """

    text: str
    taken: tuple[tuple[str, tuple[str, ...]], ...]
    left: tuple[str, ...]


def suggested_answers(
    found: Sequence[Resolution], available: Collection[str] | None = None
) -> dict[int, tuple[str, ...]]:
    """Return the replacement names for each open term, keyed by the index of the term.

    A term that requires a choice between suggestions stays open and is not in the result.

    Args:
        found: Resolutions of the terms of a text.
        available: Structures that the model supports in the modality; None for all.
    """
    answers = {}
    for index, each in enumerate(found):
        if each.runs or (missing_from(each.suggestions, available) and each.joint):
            continue
        names = tuple(name for name in each.suggestions if not missing_from([name], available))
        if names and (each.joint or len(names) == 1 or each.status == "unknown"):
            answers[index] = names if each.joint else names[:1]
    return answers


def with_suggestions(text: str, modality: str, available: Collection[str] | None = None) -> Answered:
    """Resolve a text and accept all unambiguous suggestions.

    Raises:
        ModalityError: The vocabulary does not know the modality.

    Example:
        >>> with_suggestions("left kidny, liver_seg, spleen", "CT").text
        'left kidney; liver; spleen'
    """
    found = [as_available(each, available) for each in resolve(text, modality)]
    answers = suggested_answers(found, available)
    pieces = [name for n, each in enumerate(found) for name in answers.get(n, (each.term,))]
    return Answered(
        "; ".join(dict.fromkeys(pieces)),
        tuple((found[n].term, names) for n, names in answers.items()),
        tuple(each.term for n, each in enumerate(found) if not each.runs and n not in answers),
    )
