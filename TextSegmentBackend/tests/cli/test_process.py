"""The installed command as a process of its own: in a terminal, interrupted, on a full disk."""

import os
import pty
import shutil
import signal
import subprocess
import sys

import pytest
from command_line import CHEST
from tiny_engine import phantom

from textsegment.files.images.itk_image import write_itk_image

COMMAND = [sys.executable, "-c", "from textsegment.cli.main import main; main()"]


@pytest.fixture
def scan(tmp_path):
    volume = phantom((40, 36, 20))
    write_itk_image(tmp_path / "scan.nrrd", volume.voxels, volume.geometry.affine)
    return tmp_path / "scan.nrrd"


def test_installed_command():
    command = shutil.which("textsegment", path=os.path.dirname(sys.executable))  # noqa: PTH120
    assert command, "the package is not installed"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("textsegment ")


def in_terminal(*arguments):
    """Start the command in a terminal of 80 columns; return the process and our side of the terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    command = [*COMMAND, *map(str, arguments)]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        # Shells start background jobs deaf to Ctrl-C, and children inherit that: CI may run as one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    return process, ours


def read_until(ours, words):
    """Read what the terminal shows until it holds some words, or all of it."""
    shown = b""
    while words is None or words not in shown:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux tells that the other side has gone
            break
        if not piece:
            break
        shown += piece
    return shown.decode()


def test_in_a_terminal_it_asks_and_shows_progress(scan, tmp_path):
    out = tmp_path / "out.seg.nrrd"
    process, ours = in_terminal("segment", scan, "abdominal organs", "-o", out, "--modality", "CT")
    question = read_until(ours, b"[y/N]")
    assert "Segment them all?" in question
    os.write(ours, b"y\n")
    shown = read_until(ours, None)
    assert process.wait() == 0, shown
    assert "encoding" in shown
    assert "structures" in shown
    assert "Written: " in shown
    assert out.exists()


def test_ctrl_c_leaves_nothing(tmp_path):
    process, ours = in_terminal("segment", CHEST, "liver", "-o", tmp_path / "out", "--modality", "CT")
    shown = read_until(ours, b"encoding")
    assert process.poll() is None, shown
    process.send_signal(signal.SIGINT)
    shown = read_until(ours, None)
    assert process.wait() == 130, shown
    assert "Cancelled." in shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_full_disk(scan, tmp_path):
    """On a real file system of 64 kB, where the kernel lets an ordinary user mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=64k tmpfs {disk}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no file systems may be mounted here")
    fill = f"head -c 60k /dev/zero > {disk}/full"
    command = f'{mount}; {fill}; "$@"; code=$?; ls -A {disk}; exit $code'
    arguments = ["segment", scan, "liver", "-o", disk / "out.nii", "--modality", "CT", "--quiet"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert "[disk_full]" in done.stderr
    assert done.stdout.split() == ["full"]
