"""Work in a thread of its own, brought back to the thread that asked for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from textsegment.errors import CancelledError
from textsegment.segmenter import CancelToken

T = TypeVar("T")
Task = TypeVar("Task", bound="BackgroundTask[Any]")
Report = Callable[[Any], None]
"""Hands anything over to the thread that asked."""

# A worker that waits for room looks so often whether it was told to stop.
_LOOK_S = 0.05


class BackgroundTask(Generic[T]):
    """One function in a thread; ``T`` is what it returns.

    The thread that asked takes what comes, by ``reports``, and may leave at any moment.

    Args:
        work: Called with a function that reports, and with the token that asks it to stop.
        reports_ahead: How many reports may wait to be taken; the next one makes the worker wait, so that
            memory stays bounded. 0 for any number.
        name: Of the thread, for debuggers.

    Example:
        >>> task = BackgroundTask(lambda report, cancel: [report(n) for n in range(3)]).start()
        >>> task.wait()
        True
        >>> list(task.reports()), task.is_over
        ([0, 1, 2], True)
    """

    def __init__(
        self,
        work: Callable[[Report, CancelToken], T],
        *,
        reports_ahead: int = 0,
        name: str = "textsegment",
    ) -> None:
        self._work = work
        self._reports_ahead = reports_ahead
        self._reports: deque[Any] = deque()
        self._news = threading.Condition()
        self._cancel = CancelToken()
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._has_ended = False
        # A daemon: work that hangs where nothing can interrupt it must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self: Task) -> Task:
        """Begin; return this task."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Ask the worker to stop; returns at once. Its next report fails if it has to wait for room."""
        self._cancel.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the worker has ended and all that it reported was taken."""
        return self._has_ended and not self._reports

    def reports(self) -> Iterator[Any]:
        """Take what was reported so far, one by one; never waits."""
        while True:
            with self._news:
                if not self._reports:
                    return
                report = self._reports.popleft()
                self._news.notify_all()
            yield report

    def wait_for_news(self, timeout_s: float) -> bool:
        """Wait until there is a report or the end; return whether there was one in time."""
        with self._news:
            return self._news.wait_for(lambda: bool(self._reports) or self._has_ended, timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the worker; return whether it came in time."""
        with self._news:
            return self._news.wait_for(lambda: self._has_ended, timeout_s)

    def result(self) -> T:
        """Return what the function returned, once the task is over.

        Raises:
            BaseException: Whatever the function has raised.
        """
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _report(self, report: Any) -> None:
        with self._news:
            while self._reports_ahead and len(self._reports) >= self._reports_ahead:
                if self._cancel.is_cancelled:
                    raise CancelledError("The job was cancelled.")
                self._news.wait(_LOOK_S)
            self._reports.append(report)
            self._news.notify_all()

    def _run(self) -> None:
        try:
            self._results.append(self._work(self._report, self._cancel))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            self._error = error
        with self._news:
            self._has_ended = True
            self._news.notify_all()
