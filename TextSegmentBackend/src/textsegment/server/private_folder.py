"""A folder that only this server sees, and that goes with it."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from textsegment.errors import SettingsError

_PREFIX = "volumes-"
_ALONE = 0o700


class PrivateFolder:
    """A new folder inside ``base``, locked as long as this process lives.

    Folders of servers that died without removing theirs are removed first: their locks are free.

    Args:
        base: Made if it does not exist.

    Raises:
        SettingsError: ``base`` cannot be used, or belongs to another user.
    """

    def __init__(self, base: Path) -> None:
        try:
            base.mkdir(mode=_ALONE, parents=True, exist_ok=True)
            _require_own(base)
            _remove_leftovers(base)
            self.path = base / f"{_PREFIX}{secrets.token_hex(8)}"
            self._lock = _lock_of(self.path)
            self._lock.acquire(timeout=0)  # before the folder: a folder without a locked file is a leftover
            self.path.mkdir(mode=_ALONE)
        except OSError as error:
            raise SettingsError(
                "The folder for volumes cannot be made.", "Choose another one with --store-folder."
            ) from error

    def new_file(self) -> Path:
        """Return a path for a new file, under a name that nobody can guess."""
        return self.path / secrets.token_hex(16)

    def remove(self) -> None:
        """Remove the folder with everything in it; harmless when called twice."""
        _remove(self.path, self._lock)


def _require_own(base: Path) -> None:
    if os.name == "posix" and base.stat().st_uid != os.getuid():
        raise SettingsError(
            "The folder for volumes belongs to another user.", "Choose another one with --store-folder."
        )


def _remove_leftovers(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*/"):
        lock = _lock_of(folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # its server lives
        _remove(folder, lock)


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_suffix(".lock"))


def _remove(folder: Path, lock: FileLock) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)
