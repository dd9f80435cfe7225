"""Files by which a user's programs find that user's running servers on this computer.

A server that listens on loopback announces itself in a folder that only its user can enter, and holds a lock
as long as it lives. A free lock proves that its server is gone: whatever listens at that port now is somebody
else's, and gets nothing.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from textsegment.client.address import Address
from textsegment.errors import TextSegmentError
from textsegment.server.keys import key_lines, parsed_keys
from textsegment.server.logs import log
from textsegment.server.settings import ServerSettings

_SUFFIX = ".json"
_MOST_BYTES = 4096
_ALONE = 0o700
_LOOK_S = 0.1


@dataclass(frozen=True)
class RunningServer:
    """A server of this user that runs on this computer.

    Attributes:
        url: Its address, on loopback.
        model: Name of its model.
        key: Access key; None if the server needs none.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)


@contextmanager
def announced(settings: ServerSettings, url: str, model: str) -> Iterator[None]:
    """Let programs of the same user find a server while the block runs.

    A server that others can reach, or that speaks TLS, is not announced. If the file cannot be written, that
    is logged, and the server runs without it.

    Args:
        settings: Settings of the server.
        url: Address at which it answers.
        model: Name of its model.
    """
    if not settings.is_loopback or settings.behind_proxy or settings.certfile is not None:
        yield
        return
    try:
        path, lock = _written(_content(settings, url, model))
    except (OSError, Timeout):
        log("not_announced", level=logging.WARNING)
        yield
        return
    try:
        yield
    finally:
        _remove(path, lock)


def running_servers() -> list[RunningServer]:
    """Return the servers of this user that run on this computer, the latest first.

    What servers left behind that were killed is removed.
    """
    folder = _folder()
    found = []
    with suppress(OSError):
        if _is_private(folder):
            for path in folder.glob(f"*{_SUFFIX}"):
                with suppress(OSError, ValueError, KeyError, TypeError, TextSegmentError):
                    if (server := _read(path)) is not None:
                        found.append((path.stat().st_mtime_ns, server))
    return [server for _, server in sorted(found, key=lambda one: one[0], reverse=True)]


def _folder() -> Path:
    """Return the folder for announcements: on this computer's own disk, so that no other computer sees it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "textsegment"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"textsegment-{user}" / "running"


def _content(settings: ServerSettings, url: str, model: str) -> dict[str, Any]:
    content: dict[str, Any] = {"url": url, "model": model}
    if settings.token_file is not None:  # keys change, and stay in one file only
        content["token_file"] = str(settings.token_file.resolve())
    elif settings.keys:
        content["key"] = parsed_keys(settings.keys)[0].key
    return content


def _written(content: dict[str, Any]) -> tuple[Path, FileLock]:
    folder = _folder()
    folder.mkdir(mode=_ALONE, parents=True, exist_ok=True)
    if not _is_private(folder):
        raise PermissionError
    path = folder / f"{secrets.token_hex(8)}{_SUFFIX}"
    lock = FileLock(_lock_of(path))
    lock.acquire(timeout=0)
    try:
        path.touch(mode=0o600, exist_ok=False)
        with path.open("w", encoding="utf-8") as file:
            json.dump(content, file)
    except OSError:
        _remove(path, lock)
        raise
    return path, lock


def _read(path: Path) -> RunningServer | None:
    """Return the server that a file announces; None if it is gone, and then remove its files."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or status.st_size > _MOST_BYTES:
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    server = RunningServer(content["url"], content["model"], _key(content))
    if not Address(server.url).is_loopback:
        return None
    lock = FileLock(_lock_of(path))
    try:
        # Not at once: another program may just have taken the lock to find out the same.
        lock.acquire(timeout=_LOOK_S, poll_interval=_LOOK_S / 5)
    except Timeout:
        return server  # it lives
    _remove(path, lock)
    return None


def _key(content: dict[str, Any]) -> str | None:
    if "token_file" in content:
        keys = parsed_keys(key_lines(Path(content["token_file"])))
        return next(key.key for key in keys if not key.has_expired)
    key = content.get("key")
    return None if key is None else str(key)


def _remove(path: Path, lock: FileLock) -> None:
    path.unlink(missing_ok=True)
    lock.release()
    with suppress(OSError):
        _lock_of(path).unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _is_private(folder: Path) -> bool:
    """Return whether a folder, which is no link, belongs to this user alone."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and _is_ours(status)


def _is_ours(status: os.stat_result) -> bool:
    if os.name != "posix":
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
