"""Prompts: the exact strings that the model is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textsegment.errors import LimitExceededError, PromptError

MAX_PROMPT_CHARACTERS = 200


@dataclass(frozen=True)
class Prompt:
    """A structure to segment, in the wording that the model was trained on.

    Attributes:
        text: Lower-case prompt such as ``"left kidney"``; leading, trailing and repeated spaces are removed.

    Raises:
        PromptError: The text is blank or contains control characters.
        LimitExceededError: The text is longer than 200 characters.

    Example:
        >>> Prompt("  Left  Kidney ").text
        'left kidney'
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise PromptError("A prompt is a text.")
        text = " ".join(self.text.split()).lower()
        if not text:
            raise PromptError("A prompt is blank.", "Name a structure, for example liver.")
        if len(text) > MAX_PROMPT_CHARACTERS:
            raise LimitExceededError(f"A prompt is longer than {MAX_PROMPT_CHARACTERS} characters.")
        if not text.isprintable():
            raise PromptError("A prompt holds control characters.")
        object.__setattr__(self, "text", text)


def unique_prompts(prompts: Iterable[Prompt | str]) -> tuple[Prompt, ...]:
    """Return the prompts in order, without duplicates.

    Raises:
        PromptError: There are no prompts, or one of them is invalid.
    """
    found = dict.fromkeys(p if isinstance(p, Prompt) else Prompt(p) for p in prompts)
    if not found:
        raise PromptError("There is no prompt.", "Name at least one structure, for example liver.")
    return tuple(found)
