"""No test depends on how long something takes: on a busy machine anything may take any time.

What must not wait is tested by what it waits for; durations are measured by scripts, which never fail.
"""

import ast
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time", "blocked_s", "cpu_s", "wall_s"}


def durations_asserted(text):
    """Lines of a source that assert something about a clock, unless as the limit of a wait: ``now < end``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assert) and any(_is_duration(part) for part in ast.walk(node.test)):
            yield node.lineno


def _is_duration(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return any(_is_clock(part) for part in ast.walk(node))
    return isinstance(node, ast.Attribute) and node.attr.endswith("_s") and node.attr in CLOCKS


def _is_clock(node):
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in CLOCKS


@pytest.mark.parametrize("folder", ["TextSegmentBackend/tests", "Testing"])
def test_no_test_asserts_how_long_something_takes(folder):
    files = [path for path in (TOP / folder).rglob("*.py") if "support" not in path.parts]
    assert len(files) > 20
    found = [
        f"{path.relative_to(TOP)}:{line}" for path in files for line in durations_asserted(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_duration"),
    [
        ("assert time.monotonic() - began < 5", True),
        ("assert heartbeat.longest().blocked_s < 0.1, 'blocked'", True),
        ("assert 2 > time.process_time() - begun", True),
        ("assert time.monotonic() < deadline", False),
        ("assert len(beats) - 1 < 5", False),
    ],
)
def test_durations_are_told_from_limits(line, is_duration):
    assert bool(list(durations_asserted(line))) == is_duration
