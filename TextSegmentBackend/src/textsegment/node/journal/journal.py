"""The journal of a node: what became of every series, in a database that survives any end of the process.

Each step is one transaction, so that a series is always in exactly one state. Identifiers are stored as they
are or as keyed hashes; names, descriptions and dates of patients are never stored.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence

from textsegment.errors import TextSegmentError
from textsegment.node.journal.database import Database
from textsegment.node.journal.entries import Delivery, Entry, State


class Journal(Database):
    """The journal; may be used by several threads.

    Args:
        path: File of the database; created if it does not exist.
        hashed: Whether identifiers are stored as hashes.
        read_only: Whether to look at the journal of a running node without changing it.
        on_change: Called after each transaction.

    Raises:
        JournalError: The file is not a journal, is damaged, or cannot be opened.
    """

    def latest(self, uid: str) -> Entry | None:
        """Return the latest version of a series, or None."""
        rows = self.rows("SELECT * FROM series WHERE uid = ? ORDER BY version DESC LIMIT 1", (uid,))
        return _entry(rows[0]) if rows else None

    def entry(self, number: int) -> Entry:
        """Return an entry by number."""
        return _entry(self.rows("SELECT * FROM series WHERE id = ?", (number,))[0])

    def entries(self, *states: State, study: str | None = None, limit: int = -1) -> tuple[Entry, ...]:
        """Return the entries in some states, the oldest first; all entries if no state is given.

        Args:
            states: States.
            study: Identifier of a study, or None for all.
            limit: Largest number of entries, taken from the newest; negative for all.
        """
        marks = ", ".join("?" * len(states)) or "SELECT state FROM series"
        of_study = "" if study is None else "AND study = ?"
        query = f"SELECT * FROM series WHERE state IN ({marks}) {of_study} ORDER BY id DESC LIMIT ?"  # noqa: S608
        values = (*(state.value for state in states), *(() if study is None else (study,)), limit)
        return tuple(_entry(row) for row in reversed(self.rows(query, values)))

    def begin(self, uid: str, study: str, sender: str, *, interrupted: bool = False) -> Entry:
        """Add a new version of a series, in the state ``receiving``."""
        now = time.time()
        with self.change() as database:
            (last,) = database.execute("SELECT max(version) FROM series WHERE uid = ?", (uid,)).fetchone()
            cursor = database.execute(
                "INSERT INTO series (uid, version, study, state, sender, interrupted, received_at, "
                "changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (uid, (last or 0) + 1, study, State.RECEIVING.value, sender, int(interrupted), now, now),
            )
            number = int(cursor.lastrowid or 0)
            _remember(database, number, now, State.RECEIVING, "", "")
        return self.entry(number)

    def set_interrupted(self, number: int, interrupted: bool) -> None:
        """Record whether the sender of a series broke off, or may have."""
        with self.change() as database:
            database.execute("UPDATE series SET interrupted = ? WHERE id = ?", (int(interrupted), number))

    def expect(self, number: int, images: int) -> None:
        """Record how many images the archive has of a series."""
        with self.change() as database:
            database.execute("UPDATE series SET expected = ? WHERE id = ?", (images, number))

    def knows_image(self, series: str, image: str) -> bool:
        """Return whether an image belongs to a version of a series that was complete."""
        return bool(self.rows("SELECT 1 FROM images WHERE series = ? AND uid = ?", (series, image)))

    def images(self, series: str, version: int) -> frozenset[str]:
        """Return the images of a version of a series, which include those of earlier versions."""
        query = "SELECT uid FROM images WHERE series = ? AND version <= ?"
        return frozenset(str(row["uid"]) for row in self.rows(query, (series, version)))

    def add_images(self, entry: Entry, images: Iterable[str]) -> int:
        """Record that a version of a series is complete; returns the number of its images."""
        with self.change() as database:
            rows = [(image, entry.uid, entry.version) for image in images]
            database.executemany("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", rows)
            (count,) = database.execute(
                "SELECT count(*) FROM images WHERE series = ? AND version <= ?", (entry.uid, entry.version)
            ).fetchone()
            database.execute("UPDATE series SET images = ? WHERE id = ?", (count, entry.id))
        return int(count)

    def set_state(
        self,
        number: int,
        state: State,
        *,
        rule: str | None = None,
        reason: str = "",
        error: TextSegmentError | None = None,
        next_at: float = 0.0,
    ) -> None:
        """Move an entry to a state.

        Args:
            number: Number of the entry.
            state: New state; ``running`` counts as an attempt.
            rule: Name of the rule; None to keep it.
            reason: Reason, without patient data; that of ``error`` if it is empty.
            error: Error that led to the state.
            next_at: Earliest time of the next attempt.
        """
        now = time.time()
        code, hint = ("", "") if error is None else (error.code, error.hint)
        reason = reason or ("" if error is None else error.message)
        with self.change() as database:
            database.execute(
                "UPDATE series SET state = ?, changed_at = ?, rule = coalesce(?, rule), reason = ?, "
                "code = ?, hint = ?, attempts = attempts + ?, next_at = ? WHERE id = ?",
                (state.value, now, rule, reason, code, hint, state is State.RUNNING, next_at, number),
            )
            _remember(database, number, now, state, code, reason)

    def add_results(
        self,
        entry: Entry,
        files: Sequence[str],
        destinations: Sequence[str],
        fingerprints: Iterable[str],
        engine_seconds: float,
        reason: str = "",
    ) -> None:
        """Record the results of an entry and where they go; without destinations it counts as delivered."""
        now = time.time()
        state = State.SEGMENTED if destinations else State.DELIVERED
        with self.change() as database:
            database.executemany(
                "INSERT INTO deliveries (series, file, destination, state, changed_at) "
                "VALUES (?, ?, ?, ?, ?)",
                [(entry.id, file, where, "waiting", now) for file in files for where in destinations],
            )
            database.executemany(
                "INSERT OR IGNORE INTO regions VALUES (?, ?)", [(entry.uid, each) for each in fingerprints]
            )
            database.execute(
                "UPDATE series SET state = ?, changed_at = ?, reason = ?, code = '', hint = '', seconds = ?, "
                "engine_seconds = ? WHERE id = ?",
                (state.value, now, reason, now - entry.received_at, engine_seconds, entry.id),
            )
            _remember(database, entry.id, now, state, "", reason)

    def fingerprints(self, series: str) -> frozenset[str]:
        """Return the fingerprints of all regions that this node has ever made for a series."""
        rows = self.rows("SELECT fingerprint FROM regions WHERE series = ?", (series,))
        return frozenset(str(row["fingerprint"]) for row in rows)

    def deliveries(
        self, *, destination: str | None = None, series: int | None = None, state: str | None = None
    ) -> tuple[Delivery, ...]:
        """Return deliveries, the oldest first, of a destination, an entry or a state."""
        wanted = {"destination": destination, "series": series, "state": state}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        query = f"SELECT * FROM deliveries WHERE {where} ORDER BY series, rowid"  # noqa: S608
        return tuple(Delivery(**dict(row)) for row in self.rows(query, list(given.values())))

    def set_delivered(self, delivery: Delivery) -> bool:
        """Record that a file has arrived; returns whether all results of its entry have."""
        return self._end(delivery, "delivered", None, 0.0)

    def set_undelivered(
        self, delivery: Delivery, error: TextSegmentError, next_at: float, *, is_final: bool = False
    ) -> None:
        """Record that a file could not be delivered, and when it is tried again, or that it is given up."""
        self._end(delivery, "failed" if is_final else "waiting", error, next_at)

    def _end(self, delivery: Delivery, state: str, error: TextSegmentError | None, next_at: float) -> bool:
        now = time.time()
        code, reason = ("", "") if error is None else (error.code, error.message)
        key = (delivery.series, delivery.file, delivery.destination)
        with self.change() as database:
            database.execute(
                "UPDATE deliveries SET state = ?, attempts = attempts + 1, next_at = ?, code = ?, "
                "reason = ?, changed_at = ? WHERE series = ? AND file = ? AND destination = ? "
                # What was given up meanwhile stays so, unless it has arrived after all.
                "AND (state = 'waiting' OR ? = 'delivered')",
                (state, next_at, code, reason, now, *key, state),
            )
            rows = database.execute("SELECT state FROM deliveries WHERE series = ?", (delivery.series,))
            states = {str(row["state"]) for row in rows}
            if "waiting" in states:
                return False
            outcome = State.FAILED if "failed" in states else State.DELIVERED
            database.execute(
                "UPDATE series SET state = ?, changed_at = ?, code = ?, reason = coalesce(?, reason) "
                "WHERE id = ? AND state != ?",
                (outcome.value, now, code, reason or None, delivery.series, outcome.value),
            )
            _remember(database, delivery.series, now, outcome, code, reason)
        return outcome is State.DELIVERED

    def history(self, number: int) -> tuple[tuple[float, str, str, str], ...]:
        """Return the states of an entry, each with time, state, code and reason."""
        query = "SELECT at, state, code, reason FROM history WHERE series = ? ORDER BY rowid"
        return tuple(
            (float(row["at"]), str(row["state"]), str(row["code"]), str(row["reason"]))
            for row in self.rows(query, (number,))
        )

    def counts(self) -> dict[str, int]:
        """Return the number of entries in each state."""
        found = self.rows("SELECT state, count(*) AS n FROM series GROUP BY state")
        counted = {str(row["state"]): int(row["n"]) for row in found}
        return {state.value: counted.get(state.value, 0) for state in State}

    def last_delivery_at(self) -> float | None:
        """Return the time of the last successful delivery, or None."""
        (row,) = self.rows("SELECT max(changed_at) AS at FROM deliveries WHERE state = 'delivered'")
        return None if row["at"] is None else float(row["at"])

    def forget(self, before: float) -> None:
        """Remove final entries that have not changed since a time, with everything about them."""
        final = ", ".join(f"'{state.value}'" for state in State if state.is_final)
        old = f"(SELECT id FROM series WHERE changed_at < ? AND state IN ({final}))"  # noqa: S608
        gone = "series NOT IN (SELECT uid FROM series)"
        with self.change() as database:
            database.execute(f"DELETE FROM deliveries WHERE series IN {old}", (before,))  # noqa: S608
            database.execute(f"DELETE FROM history WHERE series IN {old}", (before,))  # noqa: S608
            database.execute(f"DELETE FROM series WHERE id IN {old}", (before,))  # noqa: S608
            database.execute(f"DELETE FROM images WHERE {gone}")  # noqa: S608
            database.execute(f"DELETE FROM regions WHERE {gone}")  # noqa: S608


def _remember(
    database: sqlite3.Connection, number: int, now: float, state: State, code: str, reason: str
) -> None:
    database.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?)", (number, now, state.value, code, reason))


def _entry(row: sqlite3.Row) -> Entry:
    values = dict(row)
    return Entry(**{**values, "state": State(values["state"]), "interrupted": bool(values["interrupted"])})
