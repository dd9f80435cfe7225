"""Atomic output: files appear complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textsegment.errors import DiskFullError, OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
# With less free space than this, a failed write counts as a full disk if the library hides the cause.
_NEARLY_FULL_BYTES = 1 << 20


@contextmanager
def atomic_output(path: Path | str) -> Iterator[Path]:
    """Provide a temporary file next to ``path`` that replaces it when the block ends without an error.

    The temporary name keeps the suffixes of ``path``, since libraries choose the format by them. On any
    failure the temporary file is removed, and an existing file is left unchanged. A symbolic link is
    followed, not replaced.

    Args:
        path: Path of the output.

    Yields:
        Path of an empty file in the same folder, to be written by name.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The folder is missing or not writable, or ``path`` is not a regular file.
    """
    target = Path(os.path.realpath(path))
    suffixes = "".join(target.suffixes[-2:])
    temporary = target.with_name(f".textsegment-{secrets.token_hex(6)}{suffixes}")
    try:
        _require_replaceable(target)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield temporary
            _replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _output_error(error) from error


def make_folder(path: Path | str) -> Path:
    """Create a folder and its parents, unless it exists.

    Raises:
        OutputError: The folder cannot be created, or a file with this name exists.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _output_error(error) from error
    return folder


def unwritable(path: Path) -> OutputError:
    """Return the error for a file that a library failed to write without giving a reason."""
    with suppress(OSError):
        if shutil.disk_usage(path.parent).free < _NEARLY_FULL_BYTES:
            return DiskFullError("The disk is full.", "Free some room or choose another folder.")
    return OutputError("The result cannot be written.", "Check the folder and its permissions.")


def _require_replaceable(target: Path) -> None:
    if target.is_dir():
        raise OutputError("The output is a folder, a file is needed.", "Give a file name.")
    if target.exists() and not target.is_file():
        raise OutputError("The output is a device or pipe.", "Give the name of an ordinary file.")
    if target.exists() and not os.access(target, os.W_OK):
        raise OutputError("The output exists and may not be changed.", "Choose another name.")


def _replace(temporary: Path, target: Path) -> None:
    with temporary.open("rb+") as handle:
        os.fsync(handle.fileno())
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o777)
    temporary.replace(target)
    # The new name must survive a power failure as well; folders cannot be opened on Windows.
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _output_error(error: OSError) -> OutputError:
    if error.errno in _NO_ROOM:
        return DiskFullError("The disk is full.", "Free some room or choose another folder.")
    if error.errno == errno.ENOENT:
        return OutputError("The folder of the output does not exist.", "Make it first.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError("The output may not be written there.", "Choose another folder.")
    reason = os.strerror(error.errno) if error.errno else "unknown reason"
    return OutputError(f"The result cannot be written: {reason}.", "Check the folder and its permissions.")
