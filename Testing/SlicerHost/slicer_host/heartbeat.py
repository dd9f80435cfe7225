"""Whether the GUI thread was ever busy for long: a timer of short period that records its gaps."""

import time
from dataclasses import dataclass

from PySide6 import QtCore


@dataclass(frozen=True)
class Beat:
    """One interval between two ticks.

    Attributes:
        wall_s: By the clock.
        cpu_s: What the GUI thread itself computed in it; the rest it waited for a processor, a lock, or the
            timer.
    """

    wall_s: float
    cpu_s: float


class Heartbeat:
    """Ticks while a ``with`` block runs the event loop.

    Args:
        period_ms: Time between two ticks when nothing is in the way.
    """

    def __init__(self, period_ms: int = 10) -> None:
        self.beats: list[Beat] = []
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.PreciseTimer)
        self._timer.setInterval(period_ms)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> "Heartbeat":
        self._last = (time.monotonic(), time.thread_time())
        self._timer.start()
        return self

    def __exit__(self, *_error) -> None:
        self._timer.stop()
        self._tick()  # what blocks at the end counts too

    def longest(self) -> Beat:
        """Returns the interval that was the longest by the clock."""
        return max(self.beats, key=lambda beat: beat.wall_s)

    def busiest(self) -> Beat:
        """Returns the interval in which the GUI thread computed most."""
        return max(self.beats, key=lambda beat: beat.cpu_s)

    def _tick(self) -> None:
        now = (time.monotonic(), time.thread_time())
        self.beats.append(Beat(now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now
