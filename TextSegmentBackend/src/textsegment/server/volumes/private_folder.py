"""A folder that only this server sees, and that goes with it."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from textsegment.errors import SettingsError, StorageError
from textsegment.server.logs import log

MARKER, LOCK = ".textsegment.json", ".lock"
"""Files inside such a folder: what proves that it is ours, and what its server holds as long as it lives."""

_NAME = re.compile(r"volumes-[0-9a-f]{16}")
_ALONE = 0o700
_MARKER_BYTES = 1024


class PrivateFolder:
    """A new folder inside ``base``, locked as long as this process lives.

    Folders of servers that died without removing theirs are removed first. Nothing else in ``base`` is ever
    touched: only the marker in a folder, which names the folder itself, proves that it is ours, and only a
    free lock in it that it is a leftover. A name proves nothing.

    Args:
        base: Made if it does not exist.

    Raises:
        SettingsError: ``base`` cannot be used, or was made by somebody else where everybody may.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._abandoned: list[tuple[Path, FileLock]] = []
        try:
            base.mkdir(mode=_ALONE, parents=True, exist_ok=True)
            _require_safe(base)
            _remove_leftovers(base)
            self.path, self._lock = _new_folder(base)
        except (OSError, Timeout) as error:
            raise SettingsError(
                "The folder for volumes cannot be made.", "Choose another one with --store-folder."
            ) from error

    def new_file(self) -> Path:
        """Return a path for a new file, under a name that nobody can guess.

        If the folder was taken away, or what proves that it is ours, another one is made: what cleans
        temporary folders must not stop the server.

        Raises:
            StorageError: It cannot be made.
        """
        if not _is_whole(self.path):
            try:
                self._base.mkdir(mode=_ALONE, parents=True, exist_ok=True)
                folder = _new_folder(self._base)
            except (OSError, Timeout) as error:
                raise StorageError(
                    "The server cannot keep the volume.", "Ask its operator to look at the disk."
                ) from error
            self._abandoned.append((self.path, self._lock))
            self.path, self._lock = folder
        return self.path / secrets.token_hex(16)

    def require_usable(self) -> None:
        """Check that files can be made, in a folder that may have to be made first.

        Raises:
            StorageError: They cannot.
        """
        folder = next(path for path in (self.path, self._base, *self._base.parents) if path.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StorageError("The server cannot keep volumes.", "Ask its operator to look at the disk.")

    def keep(self) -> None:
        """Make the folder look used, so that nothing that cleans temporary folders takes it for forgotten."""
        for path in (self.path, self.path / MARKER, self.path / LOCK):
            with suppress(OSError):
                os.utime(path)

    def remove(self) -> None:
        """Remove the folder with everything in it, if it is still ours; harmless when called twice."""
        for path, lock in (*self._abandoned, (self.path, self._lock)):
            if _is_ours(path):
                _remove(path, lock)
            else:
                lock.release()


def _require_safe(base: Path) -> None:
    """Refuse a folder that somebody else has made where everybody may, as in ``/tmp``: it could be a trap.

    Anywhere else the operator has chosen it, and that it can be used is all that counts: a mounted folder
    often belongs to another user, and lets us in by a group.
    """
    if os.name != "posix":
        return
    above, status = base.resolve().parent.stat(), base.stat()
    is_free_for_all = above.st_mode & stat.S_ISVTX and above.st_mode & stat.S_IWOTH
    if is_free_for_all and status.st_uid not in (os.getuid(), 0):
        raise SettingsError(
            "The folder for volumes belongs to another user.", "Choose another one with --store-folder."
        )


def _remove_leftovers(base: Path) -> None:
    for folder in _entries(base):
        if not _is_whole(folder):
            continue
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue  # its server lives, or another one is removing it
        if _is_ours(folder):
            _remove(folder, lock)
        else:
            lock.release()


def _entries(base: Path) -> list[Path]:
    try:
        return list(base.iterdir())
    except PermissionError:
        return []  # a folder that may be written, not read: nothing can be found in it


def _new_folder(base: Path) -> tuple[Path, FileLock]:
    path = base / f"volumes-{secrets.token_hex(8)}"
    path.mkdir(mode=_ALONE)
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log("store_open_to_others", level=logging.WARNING)  # a file system without rights of its own
    lock = FileLock(path / LOCK)
    lock.acquire(timeout=0)
    _mark(path)  # after the lock: a folder without a marker is nobody's leftover
    return path, lock


def _mark(folder: Path) -> None:
    with (folder / MARKER).open("x", encoding="utf-8") as file:
        json.dump(_mark_of(folder), file)


def _mark_of(folder: Path) -> dict[str, str]:
    # With its name in it, a marker proves nothing about a copy of the folder.
    return {"made by": "textsegment", "folder": folder.name}


def _is_ours(folder: Path) -> bool:
    """Whether a folder was made by ``PrivateFolder``, as the marker in it says."""
    marker = folder / MARKER
    try:
        if not (_NAME.fullmatch(folder.name) and _is_folder(folder) and _is_file(marker)):
            return False
        if marker.stat().st_size > _MARKER_BYTES:
            return False
        return bool(json.loads(marker.read_text(encoding="utf-8")) == _mark_of(folder))
    except (OSError, ValueError):
        return False


def _is_whole(folder: Path) -> bool:
    return _is_ours(folder) and _is_file(folder / LOCK)


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _remove(folder: Path, lock: FileLock) -> None:
    """Remove a folder whose lock is held; marker and lock go last, so that what is left can be found again.

    The lock is released before its file is removed: Windows removes no open file.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name in (MARKER, LOCK):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)
