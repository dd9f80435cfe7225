"""Self-test and reload of the module, in a separate process, since Qt's stand-ins cannot be removed."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

TESTING = Path(__file__).parents[1]
PROGRAM = f"""
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {str(TESTING / "SlicerHost")!r})
    from slicer_host import host
    host.boot()
    host.load_module(Path({str(TESTING.parent / "TextSegment" / "TextSegment.py")!r}))
    import slicer
    slicer.selfTests["TextSegment"]()

    import TextSegmentLib.logic as parts
    from TextSegmentLib.engine.interpreter import chosen_interpreter
    from TextSegmentLib.engine.server_process import local_server
    server = local_server()
    options = ("--segmenter", "textsegment.testing:FakeSegmenter")
    server.start(chosen_interpreter(""), model="sat-demo", device="cpu", options=options)
    while server.state == "starting":
        time.sleep(0.02)
    pid = server.pid

    slicer.modules.textsegment.widgetRepresentation().self().onReload()

    import TextSegmentLib.logic as parts_again
    from TextSegmentLib.engine.server_process import local_server as local_server_again
    assert parts_again is not parts, "the parts were not loaded anew"
    assert local_server_again().pid == pid
    assert local_server_again().state == "ready"
    slicer.selfTests["TextSegment"]()
    print("all is well", flush=True)
"""


def test_a_reload_takes_new_code_and_finds_the_engine_that_runs():
    """Fault 71."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "all is well" in done.stdout
