"""Base class of all exceptions of this package, and where an exception was raised."""

from __future__ import annotations

from typing import ClassVar


class TextSegmentError(Exception):
    """Base class of all exceptions raised by this package.

    Attributes:
        code: Stable machine-readable identifier of the failure; part of the contract with clients.
        message: One sentence that says what is wrong; a ``Caution`` if it has a code and values of its own.
        hint: One sentence that says what to do about it; may be empty.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


def place_of(error: BaseException) -> str:
    """Return where an error was raised, as ``module:line``, which is safe to log, unlike its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
