"""What the server writes about itself: one JSON object a line on stderr, and never about a patient.

No line holds a prompt, a volume digest, a key or an address of a client.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any

from textsegment.errors import place_of

_LOGGER = logging.getLogger("textsegment.server")


class _JsonLines(logging.Formatter):
    """Writes an exception as its type and place: its text may hold anything."""

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


def use_json_logs() -> None:
    """Write the lines of all loggers of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _LOGGER.setLevel(logging.INFO)


def log(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write a line."""
    _LOGGER.log(level, event, extra={"event": event, "fields": fields})


def describe_defect(error: BaseException) -> dict[str, str]:
    """Return type and place of an error, for a line."""
    return {"error": type(error).__name__, "place": place_of(error)}
