"""Work in a thread, brought back to the thread that asked for it.

The worker sees no MRML scene and no Qt. What it reports waits in a queue until the asking thread takes it:
the GUI thread by a ``Pump``, a script by a loop.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.segmenter import CancelToken

Report = Callable[[Any], None]
T = TypeVar("T")

_TICK_MS = 20
# Slicer's main thread keeps Python's lock between Qt's events: unless it sleeps, the worker hardly runs.
_YIELD_S = 0.008


class BackgroundTask(Generic[T]):  # noqa: UP046 - Python 3.11 runs it too
    """One function in a thread of its own; ``T`` is what it returns.

    Args:
        work: Called with a function that reports anything to the asking thread, and with the token that
            asks to stop.
        name: Of the thread, for debuggers.
    """

    def __init__(self, work: Callable[[Report, CancelToken], T], name: str = "TextSegment") -> None:
        self._work = work
        self._reports: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._cancel = CancelToken()
        self._results: list[T] = []
        self._error: TextSegmentError | None = None
        # A daemon: an engine that does not answer must not keep Slicer from quitting.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> BackgroundTask[T]:
        """Begin; return this task."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Ask the worker to stop; returns at once."""
        self._cancel.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the worker has ended and all that it reported was taken."""
        return not self._thread.is_alive() and self._reports.empty()

    def reports(self) -> Iterator[Any]:
        """Take what was reported so far, one by one; never waits."""
        while True:
            try:
                yield self._reports.get_nowait()
            except queue.Empty:
                return

    def result(self) -> T:
        """Return what the function returned, once the task is over.

        Raises:
            TextSegmentError: The function failed.
        """
        if self._error is not None:
            raise self._error
        return self._results[0]

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the worker; return whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._results.append(self._work(self._reports.put, self._cancel))
        except TextSegmentError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            self._error = defect(error)


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
