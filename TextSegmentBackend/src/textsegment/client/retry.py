"""Retry policy: which failed requests are repeated, and after what delay."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from textsegment.errors import (
    BusyError,
    ChecksumError,
    EngineLostError,
    RequestTimeoutError,
    ServerUnreachableError,
    StreamBrokenError,
    TextSegmentError,
    TlsError,
    UploadOutOfStepError,
)

_PASSING = (
    ChecksumError,
    EngineLostError,
    RequestTimeoutError,
    ServerUnreachableError,
    StreamBrokenError,
    UploadOutOfStepError,
)
# A scan that crashes the engine would otherwise crash it for everyone, again and again.
_MOST_ENGINES_LOST = 2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0


class RetryPolicy:
    """Policy that retries transient failures of one job for a bounded time.

    Args:
        recovery_s: Seconds for which a server that had been reached may be unreachable.
        busy_s: Seconds for which the server may be busy.
        pause: Function that sleeps for the given seconds; raises if the job is cancelled.
    """

    def __init__(self, recovery_s: float, busy_s: float, pause: Callable[[float], None]) -> None:
        self._recovery_s = recovery_s
        self._busy_s = busy_s
        self._pause = pause
        self._was_reached = False
        self._engines_lost = 0
        self._failures = 0
        self._failing_since = 0.0
        self._busy_since: float | None = None

    def reached(self) -> None:
        """Record that the server responded: if it is lost later, it is expected to come back."""
        self._was_reached = True

    def progressed(self) -> None:
        """Record that the job advanced, which resets the count of failures."""
        self._failures = 0
        self._busy_since = None

    def wait_or_raise(self, error: TextSegmentError) -> None:
        """Wait until the failed request should be repeated.

        Raises:
            TextSegmentError: The given error, if it is permanent or the time for retries is over.
        """
        now = time.monotonic()
        pause_s = (
            self._turn_pause_s(error, now) if isinstance(error, BusyError) else self._pause_s(error, now)
        )
        if pause_s is None:
            raise error
        self._pause(pause_s)

    def _turn_pause_s(self, error: BusyError, now: float) -> float | None:
        if self._busy_since is None:
            self._busy_since = now
        # Jittered, so that clients do not all return at once, but never earlier than the server asked for.
        pause_s = max(error.retry_after_s, _FIRST_PAUSE_S) * _between(1.0, 1.2)
        return pause_s if now + pause_s - self._busy_since <= self._busy_s else None

    def _pause_s(self, error: TextSegmentError, now: float) -> float | None:
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        self._engines_lost += isinstance(error, EngineLostError)
        if not self._passes(error) or now - self._failing_since > self._recovery_s:
            return None
        doubled: float = _FIRST_PAUSE_S * 2 ** (self._failures - 1)
        return min(doubled, _LONGEST_PAUSE_S) * _between(0.5, 1.0)

    def _passes(self, error: TextSegmentError) -> bool:
        if not isinstance(error, _PASSING) or isinstance(error, TlsError):
            return False
        if isinstance(error, ServerUnreachableError):
            return self._was_reached
        if isinstance(error, StreamBrokenError) and not self._was_reached:
            return self._failures == 1  # probably a kept-alive connection that the server had closed
        return self._engines_lost <= _MOST_ENGINES_LOST


def _between(low: float, high: float) -> float:
    return random.uniform(low, high)  # noqa: S311 – nothing secret
