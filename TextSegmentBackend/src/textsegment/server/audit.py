"""Audit file: who requested what, as one JSON object per request and line, for the operator only.

A line contains the name of the key, the digest of the volume, the structures and the outcome; never the key,
an address, or a text unknown to the model, which could be a person's name.
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
    """Details of a request for the audit file, filled in while the request is handled.

    Attributes:
        digest: Digest of the volume.
        structures: Requested structures, all known to the model.
        result: Outcome: ``done``, ``cancelled``, or an error code; empty to derive it from the HTTP status.
    """

    digest: str = ""
    structures: Sequence[str] = ()
    result: str = ""


class AuditFile:
    """Append-only file that may be moved away at any time, for example by logrotate, and is then recreated.

    Args:
        path: Path of the file, in an existing folder.

    Raises:
        SettingsError: If the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._append(b"")
        except OSError as error:
            raise SettingsError("The audit file cannot be written.", "Check --audit-file.") from error

    def write(self, key: str, method: str, route: str, status: int, seconds: float, note: AuditNote) -> None:
        """Append a line for a request; a failure to write is logged.

        Args:
            key: Name of the access key.
            method: HTTP method.
            route: Pattern of the route.
            status: HTTP status; 0 if there was no one left to answer.
            seconds: Duration of the request.
            note: Details of the request.
        """
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
        # A single write to a file opened for appending, so that lines of several servers do not mix.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)
