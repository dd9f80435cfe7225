"""Engine on this computer: our own server in a child process, with a random access key.

The server stops when its standard input is closed, which happens however Slicer ends: no orphan is left.
"""

from __future__ import annotations

import atexit
import json
import re
import secrets
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from slicer.i18n import tr as _
from textsegment.client.remote import RemoteSegmenter
from textsegment.client.transport import Timeouts
from textsegment.errors import BusyError, EngineLostError, TextSegmentError
from textsegment.segmenter import ModelInfo

from TextSegmentLib.engine.child_process import close_input, end, launch, pipe
from TextSegmentLib.engine.interpreter import Interpreter

_KEY_VARIABLE = "TEXTSEGMENT_TOKEN"
_SERVE = "-m textsegment serve --port 0 --announce-json --stop-with-stdin --stop-grace-seconds 2"
_LINES_OF_LOG = 500
_GRACE_S = 5.0
_QUIT_S = 2.0
# A remote server may come back; ours would come back under another address.
_TIMEOUTS = Timeouts(recovery_s=2.0)
# How the command line prints an error: "Error: message [code]", then a line with the hint.
_PRINTED_ERROR = re.compile(r"Error: (?P<message>.+) \[(?P<code>\w+)\]$")


class ServerState(StrEnum):
    """State of the engine on this computer."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class LocalServer:
    """Starts, watches and stops the engine on this computer; only ``wait`` and ``stop_now`` block.

    All properties reflect the state at the moment they are read.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._segmenter: RemoteSegmenter | None = None
        self._info: ModelInfo | None = None
        self._failure: TextSegmentError | None = None
        self._is_unwanted = True
        self._log: deque[str] = deque(maxlen=_LINES_OF_LOG)
        self._news = threading.Condition()

    @property
    def state(self) -> ServerState:
        """Current state of the engine."""
        if self._is_unwanted or self._process is None:
            return ServerState.FAILED if self._failure else ServerState.STOPPED
        if self._process.poll() is not None:
            return ServerState.FAILED
        return ServerState.READY if self._info else ServerState.STARTING

    @property
    def model(self) -> ModelInfo | None:
        """Model of the engine while it is ready, else None."""
        return self._info if self.state is ServerState.READY else None

    @property
    def error(self) -> TextSegmentError | None:
        """Error that the engine failed with; None if it did not fail."""
        if self.state is not ServerState.FAILED:
            return None
        return self._failure or _printed_error(list(self._log))

    @property
    def log(self) -> str:
        """Last lines that the engine printed; they contain no patient data."""
        return "\n".join(self._log)

    @property
    def pid(self) -> int | None:
        """Process ID of the engine; None if it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def segmenter(self) -> RemoteSegmenter:
        """Return a segmenter that uses the engine.

        Raises:
            EngineLostError: The engine is not ready.
            TextSegmentError: The engine failed to start.
        """
        if self.state is not ServerState.READY or self._segmenter is None:
            raise self.error or EngineLostError(_("The engine is not running."), _("Start it first."))
        return self._segmenter

    def start(
        self, interpreter: Interpreter, *, model: str, device: str = "auto", options: Sequence[str] = ()
    ) -> None:
        """Start the engine and return at once; ``state`` tells how the start goes.

        Args:
            interpreter: Python that has the engine's packages.
            model: ``sat-demo``, ``sat-nano`` or ``sat-pro``.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            options: Further options of ``textsegment serve``.

        Raises:
            BusyError: The engine is already running.
            SettingsError: The interpreter cannot be run.
        """
        if self.state in (ServerState.STARTING, ServerState.READY):
            raise BusyError(_("The engine is running already."), _("Stop it first."))
        if self._process is not None:
            self._let_go()
        self._segmenter = self._info = self._failure = None
        self._log.clear()
        key = secrets.token_urlsafe(32)
        command = [interpreter.executable, *_SERVE.split(), "--model", model, "--device", device, *options]
        self._process = launch(command, {**interpreter.environment(), _KEY_VARIABLE: key}, errors_apart=True)
        self._is_unwanted = False
        for watch in (self._watch_output, self._watch_log):
            threading.Thread(target=watch, args=(self._process, key), daemon=True).start()

    def wait(self, timeout_s: float) -> None:
        """Wait up to ``timeout_s`` seconds for the start to progress; never call this on the GUI thread."""
        with self._news:
            if self.state is ServerState.STARTING:
                self._news.wait(timeout_s)

    def stop(self) -> None:
        """Ask the engine to stop, and kill it if it still runs a few seconds later; returns at once."""
        if self._process is not None and not self._is_unwanted:
            self._let_go()
            threading.Thread(target=end, args=(self._process, _GRACE_S), daemon=True).start()

    def stop_now(self) -> None:
        """Stop the engine, and kill it if it still runs after two seconds; for when Slicer quits."""
        if self._process is not None:
            self._let_go()
            end(self._process, _QUIT_S)

    def _let_go(self) -> None:
        self._is_unwanted = True
        if self._segmenter is not None:
            self._segmenter.close()
        if self._process is not None:
            close_input(self._process)

    def _is_wanted(self, process: subprocess.Popen[str]) -> bool:
        """Return whether this process is still the current one and was not asked to stop."""
        return process is self._process and not self._is_unwanted

    def _watch_output(self, process: subprocess.Popen[str], key: str) -> None:
        """Wait for the line that announces the server, then ask the server for its model."""
        for line in pipe(process.stdout):
            try:
                segmenter = RemoteSegmenter(json.loads(line)["url"], key, timeouts=_TIMEOUTS)
                info = segmenter.info()
            except (ValueError, KeyError):
                self._log.append(line.rstrip())
            except TextSegmentError as error:
                if self._is_wanted(process):
                    self._failure = error
                    self.stop()
            else:
                if self._is_wanted(process):
                    self._segmenter, self._info = segmenter, info
            with self._news:
                self._news.notify_all()
        pipe(process.stdout).close()

    def _watch_log(self, process: subprocess.Popen[str], _key: str) -> None:
        for line in pipe(process.stderr):
            self._log.append(line.rstrip())
        pipe(process.stderr).close()


_the_server = LocalServer()


def local_server() -> LocalServer:
    """Return the engine of this Slicer process; it survives a reload of the module and ends with Slicer."""
    return _the_server


def _printed_error(lines: list[str]) -> TextSegmentError:
    for number, line in enumerate(lines):
        if found := _PRINTED_ERROR.match(line):
            return EngineLostError(found["message"], " ".join(lines[number + 1 : number + 2]))
    return EngineLostError(
        _("The engine on this computer has stopped."), _("Start it again; its log may say why.")
    )


atexit.register(_the_server.stop_now)
