"""Entry of the command line."""

from __future__ import annotations

import sys

from textsegment.cli.errors import CANCELLED, exit_code, missing_package, show_error


def main() -> None:
    """Run ``textsegment`` with the arguments of the process; ends it with one of ``EXIT_CODES``."""
    try:
        from textsegment.cli.app import run
    except ModuleNotFoundError as error:  # installed without the extra
        missing = missing_package(error)
        show_error(missing)
        sys.exit(exit_code(missing))
    except KeyboardInterrupt:
        sys.exit(CANCELLED)
    run()
