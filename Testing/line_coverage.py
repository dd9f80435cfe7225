"""A plugin of pytest for ``Testing/check.sh``: counts the lines that tests of this process run.

coverage.py follows every line of every module, ours or not, which doubles the time of most tests (its fast
core needs Python 3.12). In processes that run tests, SlipCover takes its place: it counts in our modules
only, and each line only once. What it finds is written as a data file of coverage.py, which still measures
the processes that tests start, and makes the report.
"""

from __future__ import annotations

import os
from pathlib import Path

import coverage
import slipcover

_SETTINGS = "COVERAGE_PROCESS_START"
_lines: slipcover.Slipcover | None = None

if _SETTINGS in os.environ:
    _source = Path(os.environ[_SETTINGS]).parent / "src"
    _tracer = coverage.Coverage.current()
    if _tracer is not None:
        _tracer.stop()
        _tracer.erase()
    _lines = slipcover.Slipcover(immediate=True)
    slipcover.ImportManager(_lines, slipcover.FileMatcher(sources=[str(_source)])).__enter__()


def pytest_sessionfinish() -> None:
    """Write what was reached; files that were not are in it, too."""
    if _lines is None:
        return
    data = coverage.CoverageData(os.environ["COVERAGE_FILE"], suffix=f"tests.{os.getpid()}")
    data.add_lines({str(file): [] for file in _source.rglob("*.py")})
    for file, found in _lines.get_coverage()["files"].items():
        data.add_lines({str(Path(file).resolve()): found["executed_lines"]})
    data.write()
