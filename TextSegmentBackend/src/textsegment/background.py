"""Background work: run a function in its own thread and hand its reports to the calling thread."""

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
"""Callable that hands a report of any type to the owner's thread."""

# How often a worker that waits for room in the queue checks for cancellation.
_LOOK_S = 0.05


class BackgroundTask(Generic[T]):
    """A function running in its own thread; ``T`` is its return type.

    The owner collects reports with ``reports`` and may abandon the task at any time.

    Args:
        work: Function to run. It is called with a function for sending reports and a token that requests
            cancellation.
        reports_ahead: Maximum number of uncollected reports. When it is reached, the worker waits, which
            bounds memory use. 0 means no limit.
        name: Thread name, shown in debuggers.

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
        # A daemon thread, so that work stuck in an uninterruptible call cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self: Task) -> Task:
        """Start the thread and return this task."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Request cancellation without waiting.

        The worker's next report fails if it would have to wait for room.
        """
        self._cancel.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the worker has finished and all its reports have been collected."""
        return self._has_ended and not self._reports

    def reports(self) -> Iterator[Any]:
        """Yield the reports received so far, removing each from the queue; never blocks."""
        while True:
            with self._news:
                if not self._reports:
                    return
                report = self._reports.popleft()
                self._news.notify_all()
            yield report

    def wait_for_news(self, timeout_s: float) -> bool:
        """Wait for a report or the end of the task; return False if the timeout expires first."""
        with self._news:
            return self._news.wait_for(lambda: bool(self._reports) or self._has_ended, timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the worker to finish; return False if the timeout expires first."""
        with self._news:
            return self._news.wait_for(lambda: self._has_ended, timeout_s)

    def result(self) -> T:
        """Return the function's return value; call only after the worker has finished.

        Raises:
            BaseException: Any exception raised by the function.
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
