"""Handling of Ctrl+C: exit at once, or raise KeyboardInterrupt in work that needs cleaning up.

While modules are being imported there is nothing to clean up, and the code that happens to run could swallow
the exception or print it with a traceback.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from textsegment.cli.errors import CANCELLED


def leave_on_interrupt() -> None:
    """Make Ctrl+C exit the process at once; has no effect where the signal is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_on_interrupt() -> None:
    """Make Ctrl+C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def leaving_on_interrupt() -> Iterator[None]:
    """Exit the process on Ctrl+C while the block runs."""
    leave_on_interrupt()
    try:
        yield
    finally:
        raise_on_interrupt()


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(CANCELLED)
