"""Adds up the lines that tests, and the processes that they started, have run; fails below the limit.

Tests also kill processes, some of them while they write what they have run.
Their half-written files are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import coverage
from coverage.exceptions import CoverageException


def drop_half_written(pattern: Path) -> None:
    """Remove the data files that cannot be read."""
    for path in pattern.parent.glob(f"{pattern.name}.*"):
        try:
            coverage.CoverageData(str(path)).read()
        except CoverageException:
            path.unlink()


def main() -> int:
    """Return 0 if enough lines were run, 2 if not; ``COVERAGE_FILE`` says where the data are."""
    measured = coverage.Coverage(messages=False)
    drop_half_written(Path(measured.config.data_file))
    measured.combine(strict=True)
    measured.save()
    percent = measured.report(skip_covered=True, skip_empty=True)
    limit = float(measured.get_option("report:fail_under"))
    if percent < limit:
        print(f"Fewer than {limit:g} % of the lines were run.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
