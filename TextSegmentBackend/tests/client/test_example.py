"""The example runs."""

import os
import subprocess
import sys
from pathlib import Path

from server_process import ServerProcess
from slicerio import __file__ as slicerio_file

EXAMPLE = Path(__file__).parents[2] / "examples" / "remote.py"
CHEST = Path(slicerio_file).parent / "data" / "CTChest4.nrrd"
KEY = "key-of-the-example-0123"


def run(url, key):
    return subprocess.run(
        [sys.executable, EXAMPLE, url, CHEST, "liver, spleen"],
        env={**os.environ, "TEXTSEGMENT_TOKEN": key},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_example_asks_a_server():
    with ServerProcess(keys=(KEY,)) as server:
        ended = run(server.url, KEY)
        refused = run(server.url, "wrong-key-0123456789")
    assert ended.returncode == 0, ended.stderr
    assert "uploading" in ended.stdout
    assert "spleen: 0.0 ml" in ended.stdout
    assert "again: MaskStatistics(" in ended.stdout
    assert refused.returncode == 1
    assert "[unauthorized]" in refused.stderr
    assert "Traceback" not in refused.stderr
