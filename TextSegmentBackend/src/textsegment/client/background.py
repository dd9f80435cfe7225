"""Blocking work in a thread of its own, so that its owner can leave at any moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from textsegment.errors import CancelledError
from textsegment.segmenter import CancelToken, Event, EventCallback

T = TypeVar("T")

# The owner looks so often whether the job was cancelled; the thread whether it was left.
_LOOK_S = 0.05
# Events that may wait for a slow callback; then the network waits too, so that memory stays bounded.
_EVENTS_AHEAD = 4


@dataclass(frozen=True)
class _Returned(Generic[T]):
    value: T


@dataclass(frozen=True)
class _Raised:
    error: BaseException


class BackgroundCall:
    """What work in a thread may do to its owner."""

    def __init__(self) -> None:
        self._items: queue.Queue[object] = queue.Queue(_EVENTS_AHEAD)
        self._left = threading.Event()

    def emit(self, event: Event) -> None:
        """Hand an event over; it is delivered in the thread of the owner.

        Raises:
            CancelledError: The owner has left.
        """
        self._put(event)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            CancelledError: The owner has left.
        """
        if self._left.wait(seconds):
            raise CancelledError("The job was cancelled.")

    def _put(self, item: object) -> None:
        while not self._left.is_set():
            try:
                return self._items.put(item, timeout=_LOOK_S)
            except queue.Full:
                continue
        raise CancelledError("The job was cancelled.")

    def _run(self, work: Callable[[BackgroundCall], object]) -> None:
        outcome: object
        try:
            outcome = _Returned(work(self))
        except BaseException as error:  # noqa: BLE001 – raised again in the thread of the owner
            outcome = _Raised(error)
        try:
            self._put(outcome)
        except CancelledError:  # nobody waits for it
            return


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
    call = BackgroundCall()
    thread = threading.Thread(target=call._run, args=(work,), name="textsegment-client", daemon=True)
    thread.start()
    try:
        while True:
            cancel.raise_if_cancelled()
            try:
                item = call._items.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if isinstance(item, _Returned):
                return item.value  # type: ignore[no-any-return]
            if isinstance(item, _Raised):
                raise item.error
            on_event(item)  # type: ignore[arg-type]
    except BaseException:
        abort()
        raise
    finally:
        call._left.set()
