"""Exit codes, and errors as two lines: what is wrong and what to do."""

from __future__ import annotations

import sys
from types import TracebackType

from textsegment.errors import (
    BusyError,
    CancelledError,
    DependencyMissingError,
    DeviceError,
    EngineLostError,
    ForbiddenError,
    InputError,
    OutOfMemoryError,
    OutputError,
    PromptError,
    RequestError,
    ServerUnreachableError,
    SettingsError,
    StorageError,
    StreamBrokenError,
    TextSegmentError,
    UnauthorizedError,
    VersionMismatchError,
    VolumeUnknownError,
    WeightsError,
    place_of,
)

INTERNAL = 1
USAGE = 2  # also the exit code of the command line parser
BATCH_INCOMPLETE = 8
SERVER = 9
CANCELLED = 130

EXIT_CODES: dict[type[TextSegmentError], int] = {
    PromptError: USAGE,
    InputError: 3,
    OutputError: 4,
    WeightsError: 5,
    DeviceError: 6,
    OutOfMemoryError: 6,
    DependencyMissingError: 7,
    CancelledError: CANCELLED,
    SettingsError: USAGE,
    ServerUnreachableError: SERVER,
    UnauthorizedError: SERVER,
    ForbiddenError: SERVER,
    VersionMismatchError: SERVER,
    VolumeUnknownError: SERVER,
    StorageError: SERVER,
    BusyError: SERVER,
    EngineLostError: SERVER,
    StreamBrokenError: SERVER,
    RequestError: SERVER,
}
"""Exit code of each family of errors; stable, so that scripts can rely on it."""


def exit_code(error: TextSegmentError) -> int:
    """Return the exit code for an error."""
    return next((code for family, code in EXIT_CODES.items() if isinstance(error, family)), INTERNAL)


def show_error(error: TextSegmentError, about: str = "Error") -> None:
    """Print an error to stderr: what it is about, the message, its stable code, and the hint."""
    first, *more = error.message.splitlines()
    print(f"{about}: {first} [{error.code}]", *more, sep="\n", file=sys.stderr)
    if error.hint:
        print(error.hint, file=sys.stderr)


def missing_package(error: ModuleNotFoundError) -> DependencyMissingError:
    """Return the error for a missing package, naming the extra that installs it."""
    extra = "dicom" if str(error.name).startswith(("highdicom", "pylibjpeg")) else "engine"
    return DependencyMissingError(
        f"The package {error.name} is not installed.", f"Run `pip install 'textsegment[{extra}]'`."
    )


def show_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report a defect of this program; an exception hook.

    The text and traceback of the exception are left out, since they may contain paths or data of the user.
    """
    place = place_of(error)
    print(f"Error: this is a defect of TextSegment: {kind.__name__} in {place}. [internal]", file=sys.stderr)
    print("Run it again as `textsegment --debug …` and report what it prints.", file=sys.stderr)
