"""Settings of this computer and its user: kept in Slicer's settings, never in a scene.

All values are stored as strings, so that the settings store of every platform returns them unchanged.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from textsegment.client.address import Address

_GROUP = "TextSegment"


def uses_server() -> bool:
    """Return whether to use a server rather than the engine on this computer."""
    return _get("engine") == "server"


def set_uses_server(uses: bool) -> None:
    """Choose between a server and the engine on this computer."""
    _set("engine", "server" if uses else "local")


def server_address() -> str:
    """Return the address of the server, as the user typed it; may be empty."""
    return _get("serverAddress")


def set_server_address(address: str) -> None:
    """Store the address of the server."""
    _set("serverAddress", address.strip())


def server_key() -> str:
    """Return the access key of the server; empty if it has none."""
    return _get("serverKey")


def set_server_key(key: str) -> None:
    """Store the access key of the server; an empty key deletes it."""
    _set("serverKey", key.strip())


def has_consent(address: Address) -> bool:
    """Return whether the user agreed to send scans to this server; always True for this computer itself."""
    return address.is_loopback or address.url in _consents()


def set_consent(address: Address, agreed: bool) -> None:
    """Store or revoke the user's consent for one server."""
    url = {address.url}
    _set("consents", json.dumps(sorted(_consents() - url | (url if agreed else set()))))


def model() -> str:
    """Return the name of the model for the engine on this computer."""
    return _get("model") or "sat-demo"


def set_model(name: str) -> None:
    """Choose the model for the engine on this computer."""
    _set("model", name)


def device() -> str:
    """Return the device of the engine on this computer, such as ``auto``, ``cpu``, ``cuda:1`` or ``mps``."""
    return _get("device") or "auto"


def set_device(name: str) -> None:
    """Choose the device of the engine on this computer."""
    _set("device", name)


def interpreter() -> str:
    """Return the path of the Python that runs the engine on this computer; empty for Slicer's own."""
    return _get("interpreter")


def set_interpreter(path: str) -> None:
    """Choose the Python that runs the engine; empty for Slicer's own."""
    _set("interpreter", path.strip())


def tidy() -> bool | None:
    """Return whether the user wants masks to be tidied; None for what is usual for the model."""
    return {"yes": True, "no": False}.get(_get("tidy"))


def set_tidy(wanted: bool) -> None:
    """Choose whether masks are tidied."""
    _set("tidy", "yes" if wanted else "no")


def wheels_folder() -> Path | None:
    """Return the folder of wheels to install from without the network; None for the package index."""
    folder = _get("wheelsFolder")
    return Path(folder) if folder else None


def set_wheels_folder(folder: Path | str) -> None:
    """Choose the folder of wheels to install from; empty for the package index."""
    _set("wheelsFolder", str(folder) if str(folder) not in ("", ".") else "")


def proxy() -> str:
    """Return the proxy for downloads, such as ``http://proxy:3128``; empty for the system's."""
    return _get("proxy")


def set_proxy(address: str) -> None:
    """Choose the proxy for downloads of packages and weights; empty for the system's."""
    _set("proxy", address.strip())


def collects() -> bool:
    """Return whether accepted cases are collected for training; off until the user turns it on."""
    return _get("collects") == "yes"


def set_collects(wanted: bool) -> None:
    """Turn the collecting of accepted cases on or off."""
    _set("collects", "yes" if wanted else "")


def collect_folder() -> Path | None:
    """Return the folder that collected cases go to; None if none was chosen."""
    folder = _get("collectFolder")
    return Path(folder) if folder else None


def set_collect_folder(folder: Path | str) -> None:
    """Choose the folder that collected cases go to; empty for none."""
    _set("collectFolder", str(folder).strip() if str(folder) != "." else "")


def collect_secret() -> str:
    """Return the secret that pseudonyms of collected cases are made with, which is made when first needed."""
    if not _get("collectSecret"):
        _set("collectSecret", secrets.token_hex(32))
    return _get("collectSecret")


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
