"""What the raw names of a source mean: structures of the vocabulary, or questions for its owner."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from textsegment.datasets.record import UNKNOWN_VOXELS
from textsegment.errors import InputError
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.structures import find_structure, known_in

OTHER = "other"
"""Answer for a name that is not to be learnt; its voxels belong to none of the structures."""
UNKNOWN = "unknown"
"""Answer for a name whose voxels are to be learnt as nothing at all, not even as background."""
_MOST_SHOWN = 8


@dataclass(frozen=True)
class Question:
    """A raw name that does not mean exactly one structure.

    Attributes:
        name: The name in the source.
        modality: DICOM code of the modality of its scans.
        reason: Why it is not clear.
        suggestions: Structures that it may mean.
    """

    name: str
    modality: str
    reason: str
    suggestions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the question as one sentence."""
        suggested = f" {', '.join(self.suggestions)}?" if self.suggestions else ""
        return f"{self.name!r} ({self.modality}): {self.reason}{suggested}"


@dataclass(frozen=True)
class Meanings:
    """Meanings of the raw names of a source.

    Attributes:
        structures: Name of the structure, ``other`` or ``unknown``, keyed by (modality, raw name).
    """

    structures: Mapping[tuple[str, str], str]

    def of(self, modality: str, name: str) -> str:
        """Return the structure that a raw name means, or ``other`` or ``unknown``."""
        return UNKNOWN if name == UNKNOWN_VOXELS else self.structures[modality, name]


class UnclearNamesError(InputError):
    """Raw names of a source do not mean exactly one structure each.

    Attributes:
        questions: One for each of them.
    """

    code = "names_unclear"

    def __init__(self, questions: tuple[Question, ...]) -> None:
        shown = "\n  ".join(str(question) for question in questions[:_MOST_SHOWN])
        more = f"\n  and {len(questions) - _MOST_SHOWN} more" if len(questions) > _MOST_SHOWN else ""
        super().__init__(
            f"What do these names mean?\n  {shown}{more}",
            'Answer in a JSON file, {"name": "structure", "other" or "unknown"}, and give it as --answers.',
        )
        self.questions = questions


def find_meanings(names: Iterable[tuple[str, str]], answers: Mapping[str, str]) -> Meanings:
    """Find the meaning of every raw name.

    Args:
        names: Pairs of (modality, raw name).
        answers: Meanings that a person has stated, keyed by raw name.

    Raises:
        UnclearNamesError: Names without an answer do not mean exactly one structure of the vocabulary.
        InputError: An answer is no structure of the vocabulary.

    Example:
        >>> find_meanings([("CT", "kidney_right")], {}).of("CT", "kidney_right")
        'right kidney'
    """
    found: dict[tuple[str, str], str] = {}
    questions = []
    for modality, name in dict.fromkeys(names):
        if name == UNKNOWN_VOXELS:
            continue
        if name in answers:
            found[modality, name] = _checked_answer(name, answers[name], modality)
            continue
        meaning = _meaning(name, modality)
        if isinstance(meaning, Question):
            questions.append(meaning)
        else:
            found[modality, name] = meaning
    if questions:
        raise UnclearNamesError(tuple(questions))
    return Meanings(found)


def read_answers(path: Path | None) -> dict[str, str]:
    """Read a JSON file of answers; none without a file.

    Raises:
        InputError: The file cannot be read, or is no object of texts.
    """
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise ValueError
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path.name} holds no answers, or cannot be read.",
            'It is a JSON object of names, such as {"Cancer": "liver tumor", "bed": "other"}.',
        ) from error
    return content


def _meaning(name: str, modality: str) -> str | Question:
    words = " ".join(name.replace("_", " ").split())
    answers = resolve(words, modality) if words else []
    if len(answers) != 1:
        return Question(name, modality, "It is not one name.")
    (answer,) = answers
    if answer.status == "resolved" and len(answer.structures) == 1:
        return answer.structures[0]
    several = answer.structures or answer.suggestions
    reason = " ".join(answer.warnings) or "It is not known."
    if answer.status == "group":
        reason = "It stands for several structures."
    return Question(name, modality, reason, tuple(several[:_MOST_SHOWN]))


def _checked_answer(name: str, answer: str, modality: str) -> str:
    if answer in (OTHER, UNKNOWN):
        return answer
    structure = find_structure(answer)
    if structure is not None and modality in structure.modalities:
        return structure.name
    near = get_close_matches(answer.lower(), known_in(modality), n=3)
    raise InputError(
        f"The answer for {name!r}, {answer!r}, is no structure that is known in {modality}.",
        f"Did you mean {', '.join(near)}?" if near else "`textsegment terms search WORDS` finds names.",
    )
