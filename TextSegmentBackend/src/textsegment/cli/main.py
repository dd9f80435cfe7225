"""Entry point of the command line."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from textsegment.cli.errors import exit_code, missing_package, show_error
from textsegment.cli.interrupts import leave_on_interrupt


def main() -> None:
    """Run ``textsegment`` with the arguments of the process, and exit with one of ``EXIT_CODES``."""
    leave_on_interrupt()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal cannot display is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        from textsegment.cli.app import run
    except ModuleNotFoundError as error:  # installed without the extra that the command line needs
        missing = missing_package(error)
        show_error(missing)
        sys.exit(exit_code(missing))
    try:
        run()
    finally:
        leave_on_interrupt()  # shutting down the interpreter takes a moment, too
