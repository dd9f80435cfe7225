"""A folder that only this server can access and that is removed with it."""

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
"""Files inside such a folder: the marker proves that it is ours, the lock is held while its server runs."""

_NAME = re.compile(r"volumes-[0-9a-f]{16}")
_ALONE = 0o700
_MARKER_BYTES = 1024


class PrivateFolder:
    """A new folder inside ``base``, locked as long as this process lives.

    Folders left behind by dead servers are removed first. Nothing else in ``base`` is ever touched: only the
    marker in a folder, which names the folder itself, proves that it is ours, and only a free lock in it
    proves that it is a leftover. A name proves nothing.

    Args:
        base: Parent folder, created if it does not exist.

    Attributes:
        path: Path of the folder; changes if the folder has to be replaced.

    Raises:
        SettingsError: If ``base`` cannot be used, or was created by another user in a folder open to
            everyone.
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
        """Return a path for a new file, with an unguessable name.

        If the folder or its marker has been removed, another folder is created: a cleaner of temporary
        folders must not stop the server.

        Raises:
            StorageError: If no folder can be created.
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
        """Check that files can be created, in a folder that may have to be created first.

        Raises:
            StorageError: If they cannot.
        """
        folder = next(path for path in (self.path, self._base, *self._base.parents) if path.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StorageError("The server cannot keep volumes.", "Ask its operator to look at the disk.")

    def keep(self) -> None:
        """Update the time stamps, so that cleaners of temporary folders leave the folder alone."""
        for path in (self.path, self.path / MARKER, self.path / LOCK):
            with suppress(OSError):
                os.utime(path)

    def remove(self) -> None:
        """Remove the folder and its contents, if it is still ours; may be called more than once."""
        for path, lock in (*self._abandoned, (self.path, self._lock)):
            if _is_ours(path):
                _remove(path, lock)
            else:
                lock.release()


def _require_safe(base: Path) -> None:
    """Refuse a folder created by another user where everyone can create folders, as in ``/tmp``.

    It could be a trap. Anywhere else it was the operator's choice, and it only has to be usable: a mounted
    folder often belongs to another user and grants access through a group.
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
            continue  # its server is running, or another one is removing it
        if _is_ours(folder):
            _remove(folder, lock)
        else:
            lock.release()


def _entries(base: Path) -> list[Path]:
    try:
        return list(base.iterdir())
    except PermissionError:
        return []  # writable but not readable, so leftovers cannot be found


def _new_folder(base: Path) -> tuple[Path, FileLock]:
    path = base / f"volumes-{secrets.token_hex(8)}"
    path.mkdir(mode=_ALONE)
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log("store_open_to_others", level=logging.WARNING)  # a file system without permissions
    lock = FileLock(path / LOCK)
    lock.acquire(timeout=0)
    _mark(path)  # after the lock, so that no other server takes the new folder for a leftover
    return path, lock


def _mark(folder: Path) -> None:
    with (folder / MARKER).open("x", encoding="utf-8") as file:
        json.dump(_mark_of(folder), file)


def _mark_of(folder: Path) -> dict[str, str]:
    # Naming the folder keeps the marker from being valid in a copy.
    return {"made by": "textsegment", "folder": folder.name}


def _is_ours(folder: Path) -> bool:
    """Return whether a folder was created by ``PrivateFolder``, according to its marker."""
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
    """Remove a folder whose lock is held; marker and lock go last, so that remains can be found again.

    The lock is released before its file is removed, because Windows cannot remove open files.
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
