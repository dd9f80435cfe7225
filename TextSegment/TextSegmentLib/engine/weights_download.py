"""Download of a model's weights for the engine on this computer, once the user has agreed."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import WeightsDownloadError

from TextSegmentLib.engine.child_process import LineProcess
from TextSegmentLib.engine.interpreter import Interpreter

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


class DownloadState(StrEnum):
    """State of a download; ``asking`` means that it waits for ``agree``, see ``WeightsDownload.offer``."""

    LOOKING = "looking"
    ASKING = "asking"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class WeightsDownload:
    """Download of weights in a child process; poll ``look``. An interrupted download resumes the next time.

    Args:
        interpreter: Python that has the engine's packages.
        model: ``sat-nano`` or ``sat-pro``.
        proxy: Proxy, such as ``http://proxy:3128``; empty for the system's.

    Attributes:
        state: State of the download.
        offer: Text that the user agrees to: origin of the weights, their terms and size.
        fraction: Progress of the current file, 0 to 1.
        file: Name of the current file.
        error: Error that the download failed with, or None.

    Raises:
        SettingsError: The interpreter cannot be run.
    """

    def __init__(self, interpreter: Interpreter, model: str, *, proxy: str = "") -> None:
        self.state = DownloadState.LOOKING
        self.offer = ""
        self.fraction = 0.0
        self.file = ""
        self.error: WeightsDownloadError | None = None
        variables = interpreter.environment() | (dict.fromkeys(_PROXY_VARIABLES, proxy) if proxy else {})
        script = str(Path(__file__).with_name("weights_script.py"))
        self._process = LineProcess([interpreter.executable, script, "download", model], variables)

    @property
    def is_over(self) -> bool:
        """Whether the download has ended, successfully or not."""
        return self.state in (DownloadState.DONE, DownloadState.FAILED)

    def agree(self) -> None:
        """Accept the offer on behalf of the user, and begin the download."""
        self.state = DownloadState.RUNNING
        self._process.say("yes")

    def cancel(self) -> None:
        """Stop the download, or refuse the offer."""
        self._process.kill()
        if not self.is_over:
            self._fail(_("The download was stopped."), _("It goes on there the next time."))

    def look(self) -> DownloadState:
        """Process new output of the child process, and return the state."""
        code = self._process.exit_code
        while self._process.lines and not self.is_over:
            self._take(self._process.lines.popleft())
        if code is not None and not self.is_over:
            if code == 0:
                self.state = DownloadState.DONE
            else:
                self._fail(_("The download broke off."), _("Check the network and try again."))
        return self.state

    def _take(self, line: str) -> None:
        try:
            message: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:  # output of a library
            return
        if "offer" in message:
            self.offer, self.state = message["offer"], DownloadState.ASKING
        elif "error" in message:
            self._fail(message["error"], message["hint"])
        elif "file" in message:
            self.file = message["file"]
            self.fraction = message["done"] / message["total"] if message["total"] else 0.0

    def _fail(self, message: str, hint: str) -> None:
        self.state, self.error = DownloadState.FAILED, WeightsDownloadError(message, hint)
