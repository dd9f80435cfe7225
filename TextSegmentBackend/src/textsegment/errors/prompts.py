"""What was asked for cannot be understood."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class PromptError(TextSegmentError):
    """A prompt is blank or invalid, or no prompt was given."""

    code = "prompt_invalid"


class UnknownStructureError(PromptError):
    """The text does not name a structure that the model can segment.

    Attributes:
        suggestions: Names of the closest structures, best match first; may be empty.
    """

    code = "structure_unknown"

    def __init__(self, message: str, hint: str = "", suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.suggestions = suggestions


class ExpressionError(PromptError):
    """The definition of a derived structure cannot be parsed or evaluated.

    Attributes:
        position: Index of the character at which the definition fails.
    """

    code = "expression_invalid"

    def __init__(self, message: str, hint: str = "", position: int = 0) -> None:
        super().__init__(message, hint)
        self.position = position
