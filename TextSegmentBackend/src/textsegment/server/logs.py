"""The server log: one JSON object per line on stderr, never with patient data.

No line contains a prompt, a volume digest, an access key or the address of a client. Lines that strangers can
cause at will are rate-limited, so that they cannot fill a disk.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any

from textsegment.errors import place_of

_LOGGER = logging.getLogger("textsegment.server")
_FREE_LINES = 50
_LINES_PER_S = 1.0


class _JsonLines(logging.Formatter):
    """Formats records as JSON; an exception is reduced to type and place, since its text may be sensitive."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
            **getattr(record, "fields", {}),
        }
        if not hasattr(record, "event"):
            fields["message"] = record.getMessage().strip()
        if record.exc_info and record.exc_info[1] is not None:
            fields |= describe_defect(record.exc_info[1])
        return json.dumps(fields)


class _Throttle(logging.Filter):
    """Rate limit for each kind of bounded line: a burst at first, then one line per second.

    Bounded are all lines of libraries, by logger, and our own that are marked so, by event.
    """

    def __init__(self) -> None:
        super().__init__()
        self._levels: dict[str, tuple[float, float]] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "event") and not getattr(record, "is_bounded", False):
            return True
        kind = getattr(record, "event", record.name)
        level, then = self._levels.get(kind, (0.0, 0.0))
        level = max(0.0, level - (record.created - then) * _LINES_PER_S)
        if level > _FREE_LINES - 1:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._levels[kind] = (level + 1, record.created)
        if left_out := self._left_out.pop(kind, 0):
            record.fields = {**getattr(record, "fields", {}), "left_out": left_out}
        return True


def use_json_logs() -> None:
    """Write the records of all loggers of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    handler.addFilter(_Throttle())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _LOGGER.setLevel(logging.INFO)


def log(event: str, *, level: int = logging.INFO, is_bounded: bool = False, **fields: Any) -> None:
    """Write a line to the server log.

    Args:
        event: Name of the event.
        level: Logging level.
        is_bounded: Whether strangers can cause such lines; they are then rate-limited, and the next line says
            how many were left out.
        fields: Further fields of the line.
    """
    _LOGGER.log(level, event, extra={"event": event, "fields": fields, "is_bounded": is_bounded})


def describe_defect(error: BaseException) -> dict[str, Any]:
    """Return type and place of an error as fields of a line."""
    return {"error": type(error).__name__, "place": place_of(error)}
