"""Threads of PyTorch wait asleep, so that a busy machine costs no more than its share."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
import textsegment.inference
assert "torch" not in sys.modules, "too late: PyTorch reads it when it is loaded"
import textsegment.inference.engine
print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(("given", "used"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_wait_asleep_unless_told_otherwise(given, used):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**environment, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == used
