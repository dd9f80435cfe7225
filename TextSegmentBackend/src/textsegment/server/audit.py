"""Who asked for what: one JSON object a line and request, in a file that only the operator reads.

A line has the name of the key, the digest of the volume, the structures and how it ended; never the key, an
address, or a text that the model does not know, which could be a name.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from textsegment.errors import SettingsError
from textsegment.server.logs import log


@dataclass
class AuditNote:
    """What a request is about; whoever learns it writes it down here.

    Attributes:
        digest: Of the volume.
        structures: Names that the model knows.
        result: How it ended: ``done``, ``cancelled``, the code of an error; empty to go by the status.
    """

    digest: str = ""
    structures: Sequence[str] = ()
    result: str = ""


class AuditFile:
    """A file to which lines are added; it may be moved away at any time, and is made again.

    Args:
        path: The file; its folder exists.

    Raises:
        SettingsError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._append(b"")
        except OSError as error:
            raise SettingsError("The audit file cannot be written.", "Check --audit-file.") from error

    def write(self, key: str, method: str, route: str, status: int, seconds: float, note: AuditNote) -> None:
        """Add a line; if that fails, the log says so."""
        line = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "key": key,
            "method": method,
            "route": route,
            "digest": note.digest,
            "structures": list(note.structures),
            "status": status,
            "result": note.result
            or ("done" if 200 <= status < 400 else "refused" if status else "cancelled"),
            "seconds": round(seconds, 4),
        }
        try:
            self._append(json.dumps(line).encode() + b"\n")
        except OSError:
            log("audit_failed", level=logging.ERROR, is_bounded=True)

    def _append(self, line: bytes) -> None:
        # One write to a file opened for appending: lines of several servers do not mix.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


def _result(status: int) -> str:
    if status == 0:
        return "cancelled"  # nobody was left to answer
    return "done" if status < 400 else "refused"
