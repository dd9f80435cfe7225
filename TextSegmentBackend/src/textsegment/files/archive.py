"""Temporary extraction of zip files, limited in size and under safe names."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from textsegment.errors import InputUnreadableError, LimitExceededError

MOST_BYTES = 8 << 30
"""Maximum total size in bytes of the unpacked files of an archive."""
MOST_FILES = 50_000

_BLOCK_BYTES = 1 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Extract a zip file to a private folder that is removed at the end of the block.

    Nothing is written outside that folder, whatever the names in the archive: folders are numbered, and only
    the last part of each name is kept. Nested archives are not unpacked.

    Raises:
        LimitExceededError: The content exceeds ``MOST_BYTES`` or ``MOST_FILES``, whatever the archive
            declares.
        InputUnreadableError: The archive is damaged or encrypted.
        OSError: The disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="textsegment-") as temporary:
        folder = Path(temporary, "images")
        folder.mkdir()
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, folder)
        except _DAMAGE as error:
            raise InputUnreadableError(
                "The zip file is damaged, or encrypted.", "Unpack it, and give the folder."
            ) from error
        yield folder


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    members = [info for info in archive.infolist() if not info.is_dir() and _name_of(info)]
    left = MOST_BYTES
    if len(members) > MOST_FILES or sum(info.file_size for info in members) > left:
        raise _too_large()
    numbers: dict[PurePosixPath, int] = {}
    for info in members:
        # Separate files for header and voxels refer to each other by name, so they must share a folder.
        parent = PurePosixPath(info.filename.replace("\\", "/")).parent
        inside = folder / f"{numbers.setdefault(parent, len(numbers)):05d}" if len(parent.parts) else folder
        inside.mkdir(exist_ok=True)
        with archive.open(info) as packed, (inside / _name_of(info)).open("wb") as target:
            while block := packed.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise _too_large()
                target.write(block)


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return the last part of a name; empty for an entry to be ignored."""
    name = info.filename.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return "" if name in ("", ".", "..") or name.startswith(".") or "__MACOSX" in info.filename else name


def _too_large() -> LimitExceededError:
    return LimitExceededError(
        f"The zip file holds more than {MOST_BYTES >> 30} GiB or {MOST_FILES} files.",
        "Unpack it, and give the folder.",
    )
