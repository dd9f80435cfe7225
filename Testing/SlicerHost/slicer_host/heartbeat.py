"""Whether the GUI thread was ever busy for long: a timer of short period that records its gaps."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6 import QtCore

_THREADS = Path(
    "/proc/self/task"
)  # of Linux; a thread's schedstat: nanoseconds on a processor, in line for one


@dataclass(frozen=True)
class Beat:
    """One interval between two ticks.

    Attributes:
        wall_s: By the clock.
        cpu_s: What the GUI thread itself computed in it.
        in_line_s: How long threads of this process could go on, but every processor was busy with others, all
            threads together: the GUI thread may wait for a lock of one in line. 0 where this is not known.
    """

    wall_s: float
    cpu_s: float
    in_line_s: float

    @property
    def blocked_s(self) -> float:
        """What the interval lasts at least on an idle machine: computing, and waiting for locks and files."""
        return max(self.cpu_s, self.wall_s - self.in_line_s)


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
        self._last = _Clocks()
        self._timer.start()
        return self

    def __exit__(self, *_error) -> None:
        self._timer.stop()
        self._tick()  # what blocks at the end counts too

    def longest(self) -> Beat:
        """Returns the interval in which the GUI thread was blocked longest."""
        return max(self.beats, key=lambda beat: beat.blocked_s)

    def _tick(self) -> None:
        now = _Clocks()
        self.beats.append(now.since(self._last))
        self._last = now


class _Clocks:
    """All clocks at one moment."""

    def __init__(self) -> None:
        self.wall_s, self.cpu_s = time.monotonic(), time.thread_time()
        self.in_line_s = _in_line_s()

    def since(self, before: "_Clocks") -> Beat:
        both = self.in_line_s.keys() & before.in_line_s.keys()
        in_line_s = sum(self.in_line_s[thread] - before.in_line_s[thread] for thread in both)
        return Beat(self.wall_s - before.wall_s, self.cpu_s - before.cpu_s, in_line_s)


def _in_line_s() -> dict[str, float]:
    seconds = {}
    for thread in _THREADS.glob("*"):
        with contextlib.suppress(OSError):  # it has just ended
            seconds[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return seconds
