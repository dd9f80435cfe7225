"""The database under the journal: its tables, transactions, and errors."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from textsegment.errors import JournalError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, version INTEGER NOT NULL, study TEXT NOT NULL,
  state TEXT NOT NULL, sender TEXT NOT NULL, interrupted INTEGER NOT NULL DEFAULT 0,
  images INTEGER NOT NULL DEFAULT 0, expected INTEGER, received_at REAL NOT NULL, changed_at REAL NOT NULL,
  rule TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
  hint TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0,
  seconds REAL, engine_seconds REAL, UNIQUE (uid, version));
CREATE INDEX IF NOT EXISTS series_by_state ON series (state);
CREATE INDEX IF NOT EXISTS series_by_study ON series (study);
CREATE TABLE IF NOT EXISTS images (uid TEXT NOT NULL, series TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (series, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  series INTEGER NOT NULL, file TEXT NOT NULL, destination TEXT NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0, code TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '', changed_at REAL NOT NULL, PRIMARY KEY (series, file, destination));
CREATE INDEX IF NOT EXISTS deliveries_by_state ON deliveries (state, destination);
CREATE TABLE IF NOT EXISTS regions (series TEXT NOT NULL, fingerprint TEXT NOT NULL,
  PRIMARY KEY (series, fingerprint)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (series INTEGER NOT NULL, at REAL NOT NULL, state TEXT NOT NULL,
  code TEXT NOT NULL, reason TEXT NOT NULL);
"""
_VERSION = 1


class Database:
    """An SQLite database in WAL mode; may be used by several threads.

    Args:
        path: File of the database; created if it does not exist.
        hashed: Whether identifiers are stored as hashes.
        read_only: Whether to look at the database of a running node without changing it.
        on_change: Called after each transaction.

    Raises:
        JournalError: The file is not a journal, is damaged, or cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        hashed: bool = False,
        read_only: bool = False,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._on_change = on_change
        if read_only and not path.is_file():
            raise JournalError("There is no journal yet.", "Start the node first: textsegment node run.")
        try:
            where = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._database = sqlite3.connect(
                where, uri=True, check_same_thread=False, isolation_level=None, timeout=30.0
            )
            self._database.row_factory = sqlite3.Row
            if not read_only:
                self._prepare(2 if hashed else 1)
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (mode,) = self._database.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            raise _unusable(error) from error
        if version != _VERSION:
            raise JournalError("The journal was written by another version.", "Update TextSegment.")
        if not read_only and mode != (2 if hashed else 1):
            raise JournalError(
                "The journal holds identifiers in the other form.",
                "Set identifiers as before, or a new folder.",
            )

    def _prepare(self, mode: int) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        # Every transaction is on the disk before it counts, even if power fails.
        self._database.execute("PRAGMA synchronous = FULL")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._database.executescript(
                f"{_SCHEMA}PRAGMA application_id = {mode}; PRAGMA user_version = {_VERSION};"
            )

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            self._database.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: all of it counts, or nothing."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise _unusable(error) from error
            finally:
                if self._database.in_transaction:  # not if SQLite has given up itself, as on a full disk
                    with suppress(sqlite3.Error):
                        self._database.execute("ROLLBACK")
        if self._on_change is not None:
            self._on_change()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return the rows that a query finds."""
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise _unusable(error) from error


def _unusable(error: sqlite3.Error) -> JournalError:
    if "full" in str(error):
        return JournalError("The disk of the journal is full.", "Free some room.")
    return JournalError("The journal cannot be used.", "Is its folder there, writable, and on a local disk?")
