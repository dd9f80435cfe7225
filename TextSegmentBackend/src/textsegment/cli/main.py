"""Entry of the command line."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from textsegment.cli.errors import exit_code, missing_package, show_error
from textsegment.cli.interrupts import leave_on_interrupt


def main() -> None:
    """Run ``textsegment`` with the arguments of the process; ends it with one of ``EXIT_CODES``."""
    leave_on_interrupt()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal cannot show is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        from textsegment.cli.app import run
    except ModuleNotFoundError as error:  # installed without the extra
        missing = missing_package(error)
        show_error(missing)
        sys.exit(exit_code(missing))
    try:
        run()
    finally:
        leave_on_interrupt()  # the end of the interpreter takes its time, too
