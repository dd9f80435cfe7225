"""One key on a terminal takes all suggestions."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from textsegment.cli.suggestions import take_suggestions

pty = pytest.importorskip("pty")

PROGRAM = """
import sys
from textsegment.cli.suggestions import take_suggestions
print("answer:", take_suggestions(sys.argv[1], ["CT"]))
"""


def pressed(key: bytes, text: str) -> tuple[str, str]:
    """Return what was printed, and what was asked, when a key is pressed on a real terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, text],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        asked = ""
        while "Press" not in asked and (line := process.stderr.readline()):
            asked += line
        while process.poll() is None:  # what is typed before the terminal is in raw mode is flushed
            os.write(ours, key)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        out = process.stdout.read()
    os.close(ours)
    return out.strip(), asked


def test_one_key_takes_all_suggestions() -> None:
    """w9: each is shown before."""
    out, asked = pressed(b"s", "left kidny, liver_seg, spleen")
    assert out == "answer: left kidney; liver; spleen"
    assert '"left kidny" → left kidney' in asked
    assert '"liver_seg" → liver' in asked


@pytest.mark.parametrize(("key", "text"), [(b"n", "left kidny"), (b"s", "RCC, spleen"), (b"s", "no liver")])
def test_another_key_or_a_choice_takes_none(key: bytes, text: str) -> None:
    """w9: what leaves a choice is never taken."""
    assert pressed(key, text)[0] == "answer: None"


def test_nobody_is_asked_without_a_terminal() -> None:
    """w9: a script gets the refusal as before."""
    assert take_suggestions("left kidny", ["CT"]) is None
