"""A case to export; most tests write its objects in this process, since to start another takes a second."""

import contextlib
import io
import json
import runpy
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from export_case import Case, axial
from TextSegmentLib.export import writer

SUPPORT = Path(__file__).parents[3] / "TextSegmentBackend" / "tests" / "support"


@pytest.fixture
def write_series(monkeypatch):
    monkeypatch.syspath_prepend(str(SUPPORT))
    import made_dicom

    return made_dicom.write_series


def answer_here(interpreter, script, *lines):
    """Run a script as ``writer.ask`` does, but in this process."""
    names = runpy.run_path(str(script))
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        names["answer_order"](names["_export"])
    return json.loads(printed.getvalue().splitlines()[-1])


@pytest.fixture
def case(tmp_path, write_series, monkeypatch):
    """Return a case whose objects are written in this process."""
    monkeypatch.setattr(writer, "ask", answer_here)
    return Case(tmp_path / "dicom", write_series, monkeypatch, axial())


@pytest.fixture
def case_of_engine(tmp_path, write_series, monkeypatch):
    """Return a case whose objects are written by the engine's Python, as users have it."""
    return Case(tmp_path / "dicom", write_series, monkeypatch, axial())


@pytest.fixture
def archive(tmp_path):
    """An archive of dcmtk's: its folder, and where it listens; it takes objects for ARCHIVE only."""
    program = shutil.which("storescp", path="/usr/bin:/usr/local/bin")  # pynetdicom brings another one
    if program is None:
        pytest.skip("needs dcmtk: see Testing/system_packages.sh")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = tmp_path / "archive"
    folder.mkdir()
    process = subprocess.Popen([program, "-aet", "ARCHIVE", "-od", str(folder), str(port)])
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield folder, f"127.0.0.1:{port}"
    process.terminate()
    process.wait(60)
