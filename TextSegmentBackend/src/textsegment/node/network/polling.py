"""Polling: repeats a DICOMweb query, and fetches the series that are new and have stopped growing."""

from __future__ import annotations

import time
from collections.abc import Callable

from textsegment.errors import SpoolFullError, TextSegmentError
from textsegment.node.connections import Poll
from textsegment.node.intake import Intake
from textsegment.node.journal.entries import State
from textsegment.node.journal.journal import Journal
from textsegment.node.network.dicomweb import FoundSeries, WebArchive
from textsegment.server.logs import log


class Poller:
    """Repeats one query.

    Args:
        poll: The query.
        intake: Takes the images.
        journal: Says which series are known.
        quiet_s: Time for which a series must not have grown.

    Attributes:
        poll: The query.
        reached_at: Time of the last answer, monotonic.
    """

    def __init__(self, poll: Poll, intake: Intake, journal: Journal, quiet_s: float) -> None:
        self.poll = poll
        self.reached_at = time.monotonic()
        self._archive = WebArchive(poll)
        self._intake, self._journal, self._quiet_s = intake, journal, quiet_s
        self._seen: dict[str, tuple[int | None, float]] = {}
        self._checked: set[tuple[str, int | None]] = set()

    def run(self, is_stopping: Callable[[], bool]) -> int:
        """Ask once, and fetch what is new; returns the number of series that were fetched.

        Args:
            is_stopping: Tells whether the node is being stopped.

        Raises:
            TextSegmentError: The service cannot be reached or refuses, or the spool is full.
        """
        fetched = 0
        for found in self._archive.find_series(self.poll):
            self.reached_at = time.monotonic()
            if is_stopping():
                break
            if self._has_settled(found) and (images := self._new_images(found)):
                fetched += self._fetch(found, images)
        self.reached_at = time.monotonic()
        return fetched

    def _has_settled(self, found: FoundSeries) -> bool:
        """Return whether a series has not grown for a while."""
        now = time.monotonic()
        count, since = self._seen.get(found.series_uid, (-1, now))
        if count != found.images:
            self._seen[found.series_uid] = (found.images, now)
            return False
        return now - since >= self._quiet_s

    def _new_images(self, found: FoundSeries) -> frozenset[str]:
        """Return the images of a series that has to be fetched; empty if it is known as it is."""
        latest = self._journal.latest(self._intake.identifier(found.series_uid))
        if latest is not None and latest.state is State.RECEIVING and not latest.interrupted:
            return frozenset()  # another sender is about to complete it
        if latest is None or latest.state is State.RECEIVING:
            return self._archive.images(found)
        have = latest.expected or latest.images
        key = (found.series_uid, found.images)
        if found.images == have or key in self._checked:
            return frozenset()
        images = self._archive.images(found)
        self._checked.add(key)
        return images if len(images) > have else frozenset()

    def _fetch(self, found: FoundSeries, images: frozenset[str]) -> bool:
        session, well = object(), False
        try:
            for content in self._archive.fetch(found, images):
                self._intake.take(content, self.poll.name, session)
            latest = self._journal.latest(self._intake.identifier(found.series_uid))
            if latest is not None and latest.state is State.RECEIVING:
                self._journal.expect(latest.id, len(images))
            well = True
        except SpoolFullError:
            raise
        except TextSegmentError as error:
            log("fetch_failed", source=self.poll.name, code=error.code)
        finally:
            self._intake.end_session(session, well=well, whole=well)
        return well
