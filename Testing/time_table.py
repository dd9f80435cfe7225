"""A plugin of pytest for ``Testing/check.sh``: adds a line for each file of tests to the file ``TEST_TIMES``.

A line holds wall time and CPU time in seconds; the latter counts child processes too, and tells more on a
busy machine.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from pathlib import Path

import pytest

_CPU = "cpu_s"
_begun = pytest.StashKey[float]()


def _cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Remember when a test begins."""
    item.stash[_begun] = _cpu_s()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Send what a test has used along with its last report."""
    report = yield
    if call.when == "teardown":
        report.user_properties.append((_CPU, _cpu_s() - item.stash[_begun]))
    return report


def pytest_terminal_summary(terminalreporter):
    """Add up the reports of this process; with xdist, those of its workers have come to it."""
    if "TEST_TIMES" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
        return
    wall, cpu = Counter(), Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                file = report.nodeid.partition("::")[0]
                wall[file] += report.duration
                if report.when == "teardown":
                    cpu[file] += dict(report.user_properties)[_CPU]
    with Path(os.environ["TEST_TIMES"]).open("a") as table:
        table.writelines(f"{wall[file]:8.1f} s {cpu[file]:8.1f} s  {file}\n" for file in wall)
