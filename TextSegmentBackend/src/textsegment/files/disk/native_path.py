"""Paths that every native library accepts.

C++ libraries (such as ITK) expect paths in UTF-8 or in the code page of the computer; a name that is neither
crashes the whole process. So they always get plain ASCII: the path itself if it is, otherwise a link or copy
under a safe name in a private folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textsegment.errors import InputUnreadableError

_ELSEWHERE = ("/tmp", "/var/tmp", "C:\\Windows\\Temp")  # noqa: S108 – a private folder is made inside


@contextmanager
def plain_folder() -> Iterator[Path]:
    """Provide a private temporary folder with an ASCII path; the usual one may be in a home with an umlaut.

    Raises:
        InputUnreadableError: No such folder can be created on this computer.
    """
    for parent in (tempfile.gettempdir(), *_ELSEWHERE):
        if parent.isascii() and os.access(parent, os.W_OK | os.X_OK):
            with tempfile.TemporaryDirectory(prefix="textsegment-", dir=parent) as folder:
                yield Path(folder)
            return
    raise InputUnreadableError(
        "The path has letters that the image library cannot take.",
        "Move the file to a folder whose name is plain ASCII.",
    )


@contextmanager
def path_to_read(path: Path, *, siblings: bool = False, suffix: str | None = None) -> Iterator[str]:
    """Provide a plain ASCII path by which an existing file can be read while the block runs.

    Args:
        path: Existing file.
        siblings: Whether the file refers to others next to it (detached header), which must be readable too.
        suffix: Suffix that the library requires; None to keep that of the file.

    Raises:
        InputUnreadableError: No such path can be provided on this computer.
    """
    whole = os.path.abspath(path)  # noqa: PTH100 – links stay as they are
    if whole.isascii() and whole.endswith(suffix or ""):
        yield whole
        return
    with plain_folder() as folder:
        if siblings:
            _show_siblings(Path(whole), folder)
        stand_in = folder / f"image{suffix or _plain_suffix(path)}"
        _show(Path(whole), stand_in)
        yield str(stand_in)


@contextmanager
def path_to_write(path: Path) -> Iterator[str]:
    """Provide a plain ASCII path; what is written there goes into the file ``path`` when the block ends.

    Raises:
        OSError: The file cannot be written.
        InputUnreadableError: No such path can be provided on this computer.
    """
    whole = os.path.abspath(path)  # noqa: PTH100
    if whole.isascii():
        yield whole
        return
    with plain_folder() as folder:
        stand_in = folder / f"image{_plain_suffix(path)}"
        yield str(stand_in)
        shutil.copyfile(stand_in, path)


def _plain_suffix(path: Path) -> str:
    return "".join(suffix for suffix in path.suffixes[-2:] if suffix.isascii())


def _show_siblings(path: Path, folder: Path) -> None:
    for beside in path.parent.iterdir():
        name = beside.name
        if beside != path and not name.startswith("."):
            # Where links are not permitted, only files with the same stem as the header are worth copying.
            _show(beside, folder / name, copy=beside.stem == path.stem and beside.is_file())


def _show(path: Path, stand_in: Path, *, copy: bool = True) -> None:
    with suppress(OSError, NotImplementedError):  # Windows permits links for some users only
        stand_in.symlink_to(path)
        return
    if copy:
        shutil.copyfile(path, stand_in)
