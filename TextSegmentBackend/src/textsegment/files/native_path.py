"""Paths that every native library can take.

Libraries written in C++ (ITK among them) take paths as UTF-8 or in the code page of the computer; a name
that is neither ends the whole process, not the call. So what they get is plain ASCII, always: the path itself
where it is, else a link or a copy under a name of ours in a private folder.
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
    """Give a private temporary folder whose path is ASCII: the usual one may lie in a home with an umlaut.

    Raises:
        InputUnreadableError: There is none on this computer.
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
    """Give a path in plain ASCII under which an existing file can be read while the block runs.

    Args:
        path: The file.
        siblings: Whether the file names others beside it (a detached header): they can be read as well.
        suffix: What the library wants the name to end in, whatever the name of the file is; None for that.

    Raises:
        InputUnreadableError: There is no place for it on this computer.
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
    """Give a path in plain ASCII; what is written there by the end of the block goes into the file ``path``.

    Raises:
        OSError: It cannot be written.
        InputUnreadableError: There is no place for it on this computer.
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
            # Where links may not be made, only what has the name of the header is worth a copy.
            _show(beside, folder / name, copy=beside.stem == path.stem and beside.is_file())


def _show(path: Path, stand_in: Path, *, copy: bool = True) -> None:
    with suppress(OSError, NotImplementedError):  # Windows allows links to some users only
        stand_in.symlink_to(path)
        return
    if copy:
        shutil.copyfile(path, stand_in)
