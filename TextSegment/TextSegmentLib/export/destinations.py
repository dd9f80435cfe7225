"""Systems that an exported object can be sent to: those in Slicer's DICOM browser, or one that is typed.

The table of a destination is that of the DICOM node (``docs/node.md``), which also sends to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from slicer.i18n import tr as _
from textsegment.errors import SettingsError

_COUNT, _SERVERS = "DICOM/ServerNodeCount", "DICOM/ServerNodes"
_TYPED = re.compile(r"(?P<title>[^@]{1,16})@(?P<host>[^@:\s]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
_USUAL_PORT, _USUAL_TIMEOUT_S = 104, 30.0


@dataclass(frozen=True)
class Destination:
    """A system that takes DICOM objects.

    Attributes:
        name: Name to show to the user.
        table: Its settings, as in the configuration of a DICOM node.
    """

    name: str
    table: Mapping[str, Any]

    @property
    def is_web(self) -> bool:
        """Whether it is a DICOMweb service."""
        return bool(self.table["kind"] == "dicomweb")


def known_destinations() -> list[Destination]:
    """Return the servers of Slicer's DICOM browser for which storage is enabled."""
    import qt

    store = qt.QSettings()
    try:
        count = int(store.value(_COUNT) or 0)
    except (TypeError, ValueError):
        return []
    found = (_destination(_server(store.value(f"{_SERVERS}/{number}"))) for number in range(count))
    return [destination for destination in found if destination is not None]


def typed_destination(text: str) -> Destination:
    """Return the destination that a user has typed: ``AETITLE@host:port``, or the address of a service.

    Raises:
        SettingsError: It is neither.
    """
    text = text.strip()
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.hostname and not parts.username:
        return Destination(parts.hostname, {"name": "typed", "kind": "dicomweb", "url": text})
    typed = _TYPED.fullmatch(text)
    if typed is None or not 1 <= int(typed["port"]) <= 65535:
        raise SettingsError(
            _("The destination {text} is not understood.").format(text=text),
            _("Type AETITLE@host:port, or the address of a DICOMweb service (https://…)."),
        )
    return Destination(text, _dicom_table(typed["title"], typed["host"].strip("[]"), int(typed["port"])))


def _destination(server: Mapping[str, Any]) -> Destination | None:
    """Return a server as a destination; None if it takes no objects, or its settings are damaged."""
    try:
        if not int(server.get("StorageCheckState") or 0):
            return None
        table = _dicom_table(
            str(server.get("Called AETitle") or "").strip(),
            str(server.get("Address") or "").strip(),
            int(server.get("Port") or _USUAL_PORT),
            str(server.get("Calling AETitle") or "").strip(),
            float(server.get("Timeout") or _USUAL_TIMEOUT_S),
        )
    except (TypeError, ValueError):
        return None
    return Destination(str(server.get("Name") or table["ae_title"]), table) if table["host"] else None


def _dicom_table(
    called: str, host: str, port: int, calling: str = "", timeout_s: float = _USUAL_TIMEOUT_S
) -> dict[str, Any]:
    table = {"name": "chosen", "kind": "dicom", "host": host, "port": port, "ae_title": called}
    return {**table, "calling_ae_title": calling or "SLICER", "timeout_s": timeout_s}


def _server(value: Any) -> Mapping[str, Any]:
    """Return the settings of a server: JSON in Slicer 5.8 and later, before that a table."""
    if isinstance(value, Mapping):
        return value
    text = value.data() if hasattr(value, "data") else value
    try:
        read = json.loads(text.decode() if isinstance(text, bytes) else str(text))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return {}
    return read if isinstance(read, dict) else {}
