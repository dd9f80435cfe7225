"""Child processes that never outlive Slicer: each has its own process group, and is ended with all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from slicer.i18n import tr as _
from textsegment.errors import SettingsError

_MOST_LINES = 1000


def launch(
    command: Sequence[str], environment: Mapping[str, str], *, errors_apart: bool
) -> subprocess.Popen[str]:
    """Start a program with pipes for its input and output, without a console window.

    Args:
        command: Executable and its arguments.
        environment: Complete environment of the process.
        errors_apart: Whether ``stderr`` gets its own pipe rather than sharing that of ``stdout``.

    Raises:
        SettingsError: The executable cannot be run.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        flags = ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP")  # by name: other systems lack them
        apart = {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    try:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            **apart,
        )
    except OSError as error:
        raise SettingsError(
            _("This Python cannot be run."), _("Choose another one, or Slicer's own.")
        ) from error


def pipe(stream: IO[str] | None) -> IO[str]:
    """Return a pipe of a program started by ``launch``, which always has it; narrows the type."""
    assert stream is not None
    return stream


def close_input(process: subprocess.Popen[str]) -> None:
    """Close the program's standard input, which tells our programs to stop."""
    with suppress(OSError):  # the other end is gone already
        pipe(process.stdin).close()


def end(process: subprocess.Popen[str], patience_s: float) -> None:
    """Wait for a program that was told to stop; after ``patience_s`` seconds, kill it and its children."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        _kill_tree(process)
        process.wait()


class LineProcess:
    """Program whose output is read line by line in the background.

    Args:
        command: Executable and its arguments.
        environment: Complete environment of the process.

    Attributes:
        lines: Last thousand lines of its output.

    Raises:
        SettingsError: The executable cannot be run.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._process = launch(command, environment, errors_apart=False)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """Exit code, once the program has ended and all its output was read; None before."""
        return None if self._reader.is_alive() else self._process.returncode

    def say(self, line: str) -> None:
        """Write one line to its standard input; does nothing if the program has ended."""
        with suppress(OSError):
            pipe(self._process.stdin).write(line + "\n")
            pipe(self._process.stdin).flush()

    def kill(self) -> None:
        """Kill the program and its children."""
        if self._process.poll() is None:
            _kill_tree(self._process)

    def _read(self) -> None:
        for line in pipe(self._process.stdout):
            self.lines.append(line.rstrip())
        pipe(self._process.stdout).close()
        close_input(self._process)
        self._process.wait()


def _kill_tree(process: subprocess.Popen[str]) -> None:
    if os.name == "nt":
        subprocess.run(["taskkill", "/PID", str(process.pid), "/T", "/F"], capture_output=True, check=False)
    else:
        os.killpg(process.pid, signal.SIGKILL)  # it leads its own process group
