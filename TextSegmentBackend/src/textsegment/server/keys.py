"""Access keys: their file format, their expiry, and reloading while the server runs."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path

from textsegment.errors import SettingsError, TextSegmentError
from textsegment.server.logs import log

MIN_KEY_CHARACTERS = 16

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_LOOK_S = 1.0


@dataclass(frozen=True)
class AccessKey:
    """A key that grants access to the server.

    Attributes:
        name: Name of its holder, for the audit file; for an unnamed key, derived from its digest.
        key: The secret itself.
        last_day: Last day, in UTC, on which the key is valid; None if it does not expire.
    """

    name: str
    key: str = field(repr=False)
    last_day: date | None = None

    @classmethod
    def from_line(cls, line: str) -> AccessKey:
        """Parse ``[NAME] KEY [until YYYY-MM-DD]``.

        Raises:
            SettingsError: If the line has another form, or the key is too short.

        >>> AccessKey.from_line("radiology 0123456789abcdef until 2027-01-31").last_day
        datetime.date(2027, 1, 31)
        """
        words = line.split()
        last_day = None
        if len(words) > 2 and words[-2] == "until":
            try:
                last_day = date.fromisoformat(words[-1])
            except ValueError:
                raise SettingsError(
                    "The last day of an access key is no date.", "Write it so: until 2027-01-31"
                ) from None
            words = words[:-2]
        if len(words) not in (1, 2) or not line.expandtabs(1).isprintable():
            raise SettingsError(
                "A line with an access key cannot be read.", "Write: [NAME] KEY [until YYYY-MM-DD]"
            )
        key = words[-1]
        if len(key) < MIN_KEY_CHARACTERS or not key.isascii():
            raise SettingsError(
                f"An access key has at least {MIN_KEY_CHARACTERS} ASCII characters and no spaces.",
                "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        name = words[0] if len(words) == 2 else f"key-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        if not _NAME.fullmatch(name):
            raise SettingsError("The name of an access key has letters, digits and . _ @ - only.")
        return cls(name, key, last_day)

    @property
    def owner(self) -> str:
        """Identifier of the owner of volumes; the same text for the same key."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]

    @property
    def has_expired(self) -> bool:
        """Whether the last day of the key has passed."""
        return self.last_day is not None and datetime.now(timezone.utc).date() > self.last_day


def parsed_keys(lines: Sequence[str]) -> tuple[AccessKey, ...]:
    """Parse lines with access keys.

    Raises:
        SettingsError: If a line cannot be parsed, or two keys have the same name.
    """
    keys = tuple(map(AccessKey.from_line, lines))
    if len({key.name for key in keys}) < len(keys):
        raise SettingsError("Two access keys have the same name, or are the same.", "Give each its own.")
    return keys


def key_lines(file: Path) -> tuple[str, ...]:
    """Return the lines of a file that hold keys; lines starting with ``#`` are comments.

    Raises:
        SettingsError: If the file cannot be read, holds no key, or is accessible to other users.
    """
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("The file with the access keys cannot be read.") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        raise SettingsError(
            "Other users can read or change the file with the access keys.", "Run chmod 600 on it."
        )
    lines = (line.strip() for line in text.splitlines())
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise SettingsError("The file with the access keys holds none.", "Write one key a line.")
    return found


class KeyRing:
    """The current access keys, reloaded when their file changes.

    If the changed file cannot be used, the previous keys stay valid and an error is logged.

    Args:
        lines: Lines with the initial keys.
        file: File that the keys come from; None if they do not come from a file.
    """

    def __init__(self, lines: Sequence[str], file: Path | None) -> None:
        self._keys = parsed_keys(lines)
        self._file = file
        self._state = _state(file)
        self._looked_at = time.monotonic()

    def keys(self) -> tuple[AccessKey, ...]:
        """Return all keys, including expired ones."""
        now = time.monotonic()
        if self._file is not None and now - self._looked_at > _LOOK_S:
            self._looked_at = now
            if (state := _state(self._file)) != self._state:
                self._state = state
                self._read_again(self._file)
        return self._keys

    def _read_again(self, file: Path) -> None:
        try:
            self._keys = parsed_keys(key_lines(file))
        except TextSegmentError as error:
            log("keys_not_read_again", level=logging.ERROR, reason=error.message)
        else:
            log("keys_read_again", keys=len(self._keys))


def _state(file: Path | None) -> tuple[int, ...] | None:
    try:
        status = None if file is None else file.stat()
    except OSError:
        return None
    return None if status is None else (status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)
