"""A clock that tests move on, so that no test waits for an age, or is too late for it."""

from __future__ import annotations

import time
from types import ModuleType

import pytest


class Clock:
    """What some modules take for the module ``time``.

    Args:
        stands: Whether it stands still unless it is moved.
    """

    def __init__(self, *, stands: bool = False) -> None:
        self._shift_s = 0.0
        self._stood_at = (time.time(), time.monotonic()) if stands else None

    def move(self, seconds: float) -> None:
        """Move it on."""
        self._shift_s += seconds

    def time(self) -> float:
        return (self._stood_at[0] if self._stood_at else time.time()) + self._shift_s

    def monotonic(self) -> float:
        return (self._stood_at[1] if self._stood_at else time.monotonic()) + self._shift_s


def clock_of(patch: pytest.MonkeyPatch, *modules: ModuleType, stands: bool = False) -> Clock:
    """Give modules a clock of their own until the end of a test."""
    clock = Clock(stands=stands)
    for module in modules:
        patch.setattr(module, "time", clock)
    return clock
