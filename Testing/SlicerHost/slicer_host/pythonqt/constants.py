"""Keeps None, True and False alive on Python 3.10 and 3.11.

PySide6 6.12 returns them without counting the reference. That is right from Python 3.12 on, where they are
immortal; before, each call takes one reference away until the interpreter aborts.
"""

import ctypes
import sys

_MORE_THAN_ANY_TEST_USES = 1 << 40


def keep_alive() -> None:
    """Adds references that nobody owns."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False, NotImplemented):
            ctypes.c_ssize_t.from_address(id(constant)).value += _MORE_THAN_ANY_TEST_USES
