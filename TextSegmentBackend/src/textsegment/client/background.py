"""Blocking work in a background thread, which its owner can abandon at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from textsegment.background import BackgroundTask, Report
from textsegment.errors import CancelledError
from textsegment.segmenter import CancelToken, Event, EventCallback

T = TypeVar("T")

# How often the owner checks for cancellation.
_LOOK_S = 0.05
# Events queued for a slow callback before the network has to wait as well, which bounds memory use.
_EVENTS_AHEAD = 4


class BackgroundCall:
    """Handle by which background work communicates with its owner.

    Args:
        report: Function that hands an event over to the owner.
        left: Token that is set once the owner has left.
    """

    def __init__(self, report: Report, left: CancelToken) -> None:
        self._report = report
        self._left = left

    def emit(self, event: Event) -> None:
        """Send an event, to be delivered in the owner's thread.

        Raises:
            CancelledError: The owner has left.
        """
        self._left.raise_if_cancelled()
        self._report(event)

    def pause(self, seconds: float) -> None:
        """Sleep for a number of seconds.

        Raises:
            CancelledError: The owner has left.
        """
        if self._left.wait(seconds):
            raise CancelledError("The job was cancelled.")


def run_in_background(
    work: Callable[[BackgroundCall], T],
    on_event: EventCallback,
    cancel: CancelToken,
    abort: Callable[[], None],
) -> T:
    """Run work in a background thread, deliver its events in this thread, and return its result.

    The owner leaves immediately on cancellation, on an exception in the callback or on Ctrl-C, even while the
    thread is blocked in an uninterruptible call such as name resolution.

    Args:
        work: Function to run; called with a ``BackgroundCall``.
        on_event: Callback for events, called in this thread.
        cancel: Token that stops the job; checked every 50 ms.
        abort: Function called when the owner leaves early, which makes the thread end soon.

    Raises:
        CancelledError: The job was cancelled.
        BaseException: Any exception raised by the work or the callback.
    """
    cancel.raise_if_cancelled()
    task: BackgroundTask[T] = BackgroundTask(
        lambda report, left: work(BackgroundCall(report, left)),
        reports_ahead=_EVENTS_AHEAD,
        name="textsegment-client",
    ).start()
    try:
        while not task.is_over:
            for event in task.reports():
                cancel.raise_if_cancelled()
                on_event(event)
            cancel.raise_if_cancelled()
            task.wait_for_news(_LOOK_S)
    except BaseException:
        abort()
        raise
    finally:
        task.cancel()
    return task.result()
