"""What Ctrl+C does: end the process at once, or raise KeyboardInterrupt in the work that has to be tidied up.

While modules are imported there is nothing to tidy up, and whatever runs then could swallow an exception, or
show it with a traceback.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from textsegment.cli.errors import CANCELLED


def leave_on_interrupt() -> None:
    """From now on Ctrl+C ends the process; without effect where it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_on_interrupt() -> None:
    """From now on Ctrl+C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def leaving_on_interrupt() -> Iterator[None]:
    """End the process at Ctrl+C while the block runs."""
    leave_on_interrupt()
    try:
        yield
    finally:
        raise_on_interrupt()


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(CANCELLED)
