"""Whether windows stay alive while something is computed: what computes it waits until they were served."""

import functools
import threading

from PySide6 import QtCore


class Gate:
    """Functions that go on only after Qt's event loop has ticked, in a ``with`` block on the GUI thread.

    A function that the GUI thread calls itself, or for whose end it waits, can't pass, since the event loop
    does not tick then. No clock is read, so the outcome does not depend on how busy the machine is.

    Args:
        ticks: Ticks of the event loop that each call waits for.
        patience_s: After this long without enough ticks, the event loop stands still.

    Attributes:
        passed: Names of the functions that have passed, in order.
    """

    def __init__(self, ticks: int = 3, patience_s: float = 120.0) -> None:
        self.passed: list[str] = []
        self._ticks, self._patience_s = ticks, patience_s
        self._refused: list[str] = []
        self._windows = threading.current_thread()
        self._count, self._news = 0, threading.Condition()
        self._timer = QtCore.QTimer()
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> "Gate":
        self._timer.start(1)
        return self

    def __exit__(self, kind, *_error) -> None:
        self._timer.stop()
        if kind is None:
            assert not self._refused, self._refused[0]

    def hold(self, monkeypatch, owner, *names: str) -> None:
        """Lets functions of a class or module go on only after the event loop has ticked."""
        for name in names:
            monkeypatch.setattr(owner, name, self._held(getattr(owner, name)))

    def _held(self, function):
        @functools.wraps(function)
        def held(*arguments, **options):
            self._wait(function.__name__)
            return function(*arguments, **options)

        return held

    def _wait(self, name: str) -> None:
        if threading.current_thread() is self._windows:
            self._refuse(f"{name} runs on the thread of the windows")
        with self._news:
            goal = self._count + self._ticks
            ticked = self._news.wait_for(lambda: self._count >= goal, self._patience_s)
        if not ticked:
            self._refuse(f"the windows stood still during {name}")
        self.passed.append(name)

    def _refuse(self, sentence: str) -> None:
        self._refused.append(sentence)
        raise AssertionError(sentence)

    def _tick(self) -> None:
        with self._news:
            self._count += 1
            self._news.notify_all()
