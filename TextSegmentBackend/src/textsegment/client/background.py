"""Blocking work in a thread of its own, so that its owner can leave at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from textsegment.background import BackgroundTask, Report
from textsegment.errors import CancelledError
from textsegment.segmenter import CancelToken, Event, EventCallback

T = TypeVar("T")

# The owner looks so often whether the job was cancelled.
_LOOK_S = 0.05
# Events that may wait for a slow callback; then the network waits too, so that memory stays bounded.
_EVENTS_AHEAD = 4


class BackgroundCall:
    """What work in a thread may do to its owner.

    Args:
        report: Hands an event over.
        left: Set once the owner has left.
    """

    def __init__(self, report: Report, left: CancelToken) -> None:
        self._report = report
        self._left = left

    def emit(self, event: Event) -> None:
        """Hand an event over; it is delivered in the thread of the owner.

        Raises:
            CancelledError: The owner has left.
        """
        self._left.raise_if_cancelled()
        self._report(event)

    def pause(self, seconds: float) -> None:
        """Wait.

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
    """Run work in a thread of its own, call back with its events here, and return its result.

    The owner leaves at once when the job is cancelled, when the callback fails, or on Ctrl-C, even while the
    thread hangs where nothing can interrupt it, such as in the resolution of a name.

    Args:
        work: Gets the call to report to.
        on_event: Called in this thread.
        cancel: Looked at every 50 ms.
        abort: Called when the owner leaves early: makes the thread end soon.

    Raises:
        CancelledError: The job was cancelled.
        BaseException: Whatever the work or the callback raises.
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
