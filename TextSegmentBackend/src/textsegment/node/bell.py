"""A bell: lets threads wait for news, and miss none."""

from __future__ import annotations

import threading


class Bell:
    """Tells waiting threads that something has changed.

    Attributes:
        count: How often it has rung.

    Example:
        >>> bell = Bell()
        >>> seen = bell.count
        >>> bell.ring()
        >>> bell.wait(seen, timeout_s=60)  # it has rung since
        True
    """

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def ring(self) -> None:
        """Wake all who wait."""
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> bool:
        """Wait until it has rung more often than was seen; returns whether it has.

        Args:
            seen: Its count before the caller looked at what may change.
            timeout_s: Longest wait.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self.count != seen, timeout_s)
