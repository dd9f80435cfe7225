"""What belongs to this computer and its user: kept in Slicer's settings, never in a scene.

All values are texts, so that every platform's store gives back what was put in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textsegment.client.address import Address

_GROUP = "TextSegment"


def uses_server() -> bool:
    """Whether structures are found on a server, not on this computer."""
    return _get("engine") == "server"


def set_uses_server(uses: bool) -> None:
    """Choose between a server and this computer."""
    _set("engine", "server" if uses else "local")


def server_address() -> str:
    """Address of the server, as the user gave it; may be empty."""
    return _get("serverAddress")


def set_server_address(address: str) -> None:
    """Keep the address of the server."""
    _set("serverAddress", address.strip())


def server_key() -> str:
    """Access key of the server; empty if it has none."""
    return _get("serverKey")


def set_server_key(key: str) -> None:
    """Keep the access key; empty to forget it."""
    _set("serverKey", key.strip())


def has_consent(address: Address) -> bool:
    """Whether the user agreed that scans go to this server; never asked for this computer itself."""
    return address.is_loopback or address.url in _consents()


def set_consent(address: Address, agreed: bool) -> None:
    """Keep, or take back, the consent for one server."""
    url = {address.url}
    _set("consents", json.dumps(sorted(_consents() - url | (url if agreed else set()))))


def model() -> str:
    """Model of the engine on this computer."""
    return _get("model") or "sat-demo"


def set_model(name: str) -> None:
    """Choose the model of the engine on this computer."""
    _set("model", name)


def device() -> str:
    """Device of the engine on this computer: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``."""
    return _get("device") or "auto"


def set_device(name: str) -> None:
    """Choose the device of the engine on this computer."""
    _set("device", name)


def interpreter() -> str:
    """Path of the Python that runs the engine on this computer; empty for Slicer's own."""
    return _get("interpreter")


def set_interpreter(path: str) -> None:
    """Choose the Python that runs the engine; empty for Slicer's own."""
    _set("interpreter", path.strip())


def wheels_folder() -> Path | None:
    """Folder with wheels, to install without the network; None for the package index."""
    folder = _get("wheelsFolder")
    return Path(folder) if folder else None


def set_wheels_folder(folder: Path | str) -> None:
    """Choose a folder with wheels; empty for the package index."""
    _set("wheelsFolder", str(folder) if str(folder) not in ("", ".") else "")


def proxy() -> str:
    """Proxy for downloads of packages and weights, such as ``http://proxy:3128``; empty for the system's."""
    return _get("proxy")


def set_proxy(address: str) -> None:
    """Choose the proxy for downloads."""
    _set("proxy", address.strip())


def _consents() -> set[str]:
    try:
        urls = json.loads(_get("consents") or "[]")
    except json.JSONDecodeError:  # somebody edited the file: ask again
        return set()
    return {url for url in urls if isinstance(url, str)} if isinstance(urls, list) else set()


def _get(name: str) -> str:
    value = _store().value(f"{_GROUP}/{name}")
    return "" if value is None else str(value)


def _set(name: str, value: str) -> None:
    _store().setValue(f"{_GROUP}/{name}", value)


def _store() -> Any:
    import qt

    return qt.QSettings()
