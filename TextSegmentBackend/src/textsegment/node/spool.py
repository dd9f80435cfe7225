"""The spool of a node: images that have arrived and results on their way, within limits of size and age.

The folder belongs to the node. Only files that the node itself has written are ever removed: those in its own
folders and under names that it gives.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from textsegment.errors import SettingsError, SpoolFullError
from textsegment.files.disk.atomic import make_folder
from textsegment.node.settings import Limits

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_KEY = re.compile(r"[0-9a-f]{32}")
_RESULT = re.compile(r"\d{1,18}(\.part)?")
_MEGABYTE = 2**20


class Spool:
    """The folder of a node.

    Args:
        folder: Folder; created if it does not exist, for its owner alone.
        limits: Limits of size and age.

    Attributes:
        folder: The folder.
        is_full: Whether the last image found no room.

    Raises:
        SettingsError: The folder holds something else.
        OutputError: The folder cannot be created.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.is_full = False
        self._limits = limits
        self._lock = threading.Lock()
        make_folder(folder)
        if not (folder / "secret").exists() and any(
            path.name not in ("secret.part", "lock") for path in folder.iterdir()
        ):
            raise SettingsError("The folder of the node holds other files.", "Give it a folder of its own.")
        self._secret = self._read_secret()
        for name in ("incoming", "results"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        self._bytes = sum(path.stat().st_size for path in self._files())

    @property
    def journal(self) -> Path:
        """File of the journal."""
        return self.folder / "journal.sqlite"

    @property
    def size_bytes(self) -> int:
        """Size of all images and results."""
        return self._bytes

    def key(self, identifier: str) -> str:
        """Return the keyed hash of an identifier, which serves as a file name and in hashed journals."""
        return hashlib.blake2b(identifier.encode(), key=self._secret, digest_size=16).hexdigest()

    def images(self, series: str) -> dict[str, Path]:
        """Return the images of a series by the keys of their identifiers.

        Args:
            series: Key of the series instance UID.
        """
        folder = self.folder / "incoming" / series
        if not folder.is_dir():
            return {}
        return {path.stem: path for path in sorted(folder.glob("*.dcm")) if _KEY.fullmatch(path.stem)}

    def last_change(self, series: str) -> float:
        """Return when the last image of a series was written, in seconds since 1970; 0 if there is none."""
        return max((path.stat().st_mtime for path in self.images(series).values()), default=0.0)

    def store(self, series: str, image: str, content: bytes) -> bool:
        """Write an image; once this returns it is on the disk, whole.

        Args:
            series: Key of the series instance UID.
            image: Key of the SOP instance UID.
            content: The file.

        Returns:
            Whether it is new; an image that is there already stays as it is.

        Raises:
            SpoolFullError: The spool has reached its limit, or the disk is full.
        """
        target = self.folder / "incoming" / series / f"{image}.dcm"
        if target.exists():
            return False
        self.require_room(len(content))
        temporary = target.with_name(f"{image}.part")
        try:
            target.parent.mkdir(exist_ok=True)
            try:
                with temporary.open("wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self.is_full = True
            if error.errno in _NO_ROOM:
                raise SpoolFullError("The disk of the spool is full.", "Free some room.") from error
            raise SpoolFullError("The spool cannot be written.", "Check its folder and disk.") from error
        self.is_full = False
        self._count(len(content))
        return True

    def require_room(self, size: int) -> None:
        """Check that a file fits.

        Raises:
            SpoolFullError: It would exceed the limit of the spool, or use disk space that is left to others.
        """
        limit, free = self._limits.spool_mb * _MEGABYTE, self._limits.free_mb * _MEGABYTE
        self.is_full = True
        if self._bytes + size > limit:
            raise SpoolFullError("The spool has reached its limit.", "Raise limits.spool_mb, or wait.")
        if shutil.disk_usage(self.folder).free - size < free:
            raise SpoolFullError("The disk of the spool is nearly full.", "Free some room.")
        self.is_full = False

    def remove_images(self, series: str) -> None:
        """Remove the images of a series."""
        self._remove(self.folder / "incoming" / series, _KEY.fullmatch(series) is not None)

    def incoming(self) -> tuple[str, ...]:
        """Return the keys of all series that have images."""
        return tuple(path.name for path in sorted((self.folder / "incoming").iterdir()) if path.is_dir())

    def results(self, number: int) -> Path:
        """Return the folder with the results of an entry."""
        return self.folder / "results" / str(number)

    def begin_results(self, number: int) -> Path:
        """Return an empty folder in which the results of an entry are prepared."""
        folder = self.results(number).with_suffix(".part")
        self._remove(folder, is_own=True)
        return make_folder(folder)

    def finish_results(self, number: int) -> Path:
        """Give prepared results their final name, replacing those of an attempt that did not count."""
        prepared, final = self.results(number).with_suffix(".part"), self.results(number)
        self._remove(final, is_own=True)
        size = sum(path.stat().st_size for path in prepared.iterdir())
        prepared.rename(final)
        _sync(final.parent)
        self._count(size)
        return final

    def remove_results(self, number: int) -> None:
        """Remove the results of an entry."""
        self._remove(self.results(number), is_own=True)

    def prepared(self) -> tuple[int, ...]:
        """Return the numbers of the entries that have results."""
        names = (path.name for path in (self.folder / "results").iterdir())
        return tuple(sorted(int(name) for name in names if name.isdigit()))

    def clean(self) -> None:
        """Remove what a process that was killed has left unfinished."""
        for path in (self.folder / "results").iterdir():
            if path.suffix == ".part" and _RESULT.fullmatch(path.name):
                self._remove(path, is_own=True)
        for path in (self.folder / "incoming").glob("*/*.part"):
            if _KEY.fullmatch(path.stem):
                path.unlink(missing_ok=True)

    def _count(self, change: int) -> None:
        with self._lock:
            self._bytes += change

    def _files(self) -> Iterator[Path]:
        for name in ("incoming", "results"):
            yield from (path for path in (self.folder / name).rglob("*") if path.is_file())

    def _remove(self, folder: Path, is_own: bool) -> None:
        if not is_own or not folder.is_dir():
            return
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                self._count(-size)
        folder.rmdir()

    def _read_secret(self) -> bytes:
        path = self.folder / "secret"
        if not path.exists():
            temporary = path.with_name("secret.part")
            temporary.unlink(missing_ok=True)
            with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
                stream.write(secrets.token_bytes(32))
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            _sync(self.folder)
        return path.read_bytes()


def _sync(folder: Path) -> None:
    """Make names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
