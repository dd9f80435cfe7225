"""Work in a thread, brought back to the thread that asked for it.

The worker sees no MRML scene and no Qt. What it reports waits in a queue until the asking thread takes it:
the GUI thread by a ``Pump``, a script by a loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import textsegment.background
from slicer.i18n import tr as _
from textsegment.background import Report
from textsegment.errors import TextSegmentError

__all__ = ["BackgroundTask", "Pump", "Report", "defect", "let_workers_run"]

T = TypeVar("T")

_TICK_MS = 20
# Slicer's main thread keeps Python's lock between Qt's events: unless it sleeps, the worker hardly runs.
_YIELD_S = 0.008


class BackgroundTask(textsegment.background.BackgroundTask[T]):
    """One function in a thread of its own, whose failures are all typed; ``T`` is what it returns."""

    def result(self) -> T:
        """Return what the function returned, once the task is over.

        Raises:
            TextSegmentError: The function failed.
        """
        try:
            return super().result()
        except TextSegmentError:
            raise
        except Exception as error:
            raise defect(error) from error


def defect(error: Exception) -> TextSegmentError:
    """Write an exception that nobody expected into Slicer's log, and return what the user is told."""
    logging.error("TextSegment: a defect", exc_info=error)
    return TextSegmentError(
        _("The program failed ({kind}).").format(kind=type(error).__name__),
        _("The details are in Slicer's log."),
    )


class Pump:
    """Calls a function on the GUI thread again and again until it returns false.

    Args:
        step: What to call; returns whether there is more to come.
    """

    def __init__(self, step: Callable[[], bool]) -> None:
        import qt

        self._step = step
        self._is_over = False
        self._timer = qt.QTimer()
        self._timer.setInterval(_TICK_MS)
        self._timer.connect("timeout()", self._tick)
        self._timer.start()

    def stop(self) -> None:
        """Call no more."""
        if not self._is_over:
            self._is_over = True
            self._timer.stop()
            self._timer.deleteLater()  # else it keeps what it calls, and all that hangs on that

    def _tick(self) -> None:
        try:
            more = self._step()
        except BaseException:
            self.stop()  # not the same failure fifty times a second
            raise
        if not more:
            self.stop()
        let_workers_run()


def let_workers_run() -> None:
    """Let the threads of Python go on for a moment; for the GUI thread, while it waits for them."""
    time.sleep(_YIELD_S)
