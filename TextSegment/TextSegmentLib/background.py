"""Background tasks, whose reports are handed back to the thread that started them.

The worker touches neither the MRML scene nor Qt. Its reports wait in a queue until the calling thread takes
them: the GUI thread with a ``Pump``, a script in a loop.
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
# Slicer's main thread holds the GIL between Qt events: unless it sleeps, the worker hardly runs.
_YIELD_S = 0.008


class BackgroundTask(textsegment.background.BackgroundTask[T]):
    """Function running in its own thread, whose failures are all typed; ``T`` is its return type."""

    def result(self) -> T:
        """Return the result of the function, once the task is over.

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
    """Write an unexpected exception to Slicer's log, and return the error to show to the user."""
    logging.error("TextSegment: a defect", exc_info=error)
    return TextSegmentError(
        _("The program failed ({kind}).").format(kind=type(error).__name__),
        _("The details are in Slicer's log."),
    )


class Pump:
    """Timer that calls a function on the GUI thread until it returns False.

    Args:
        step: Function to call; returns whether it must be called again.
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
        """Stop calling the function."""
        if not self._is_over:
            self._is_over = True
            self._timer.stop()
            self._timer.deleteLater()  # else it keeps its callback, and all that it refers to, alive

    def _tick(self) -> None:
        try:
            more = self._step()
        except BaseException:
            self.stop()  # else the same failure would repeat fifty times a second
            raise
        if not more:
            self.stop()
        let_workers_run()


def let_workers_run() -> None:
    """Let Python's other threads run for a moment; the GUI thread calls this while it waits for them."""
    time.sleep(_YIELD_S)
