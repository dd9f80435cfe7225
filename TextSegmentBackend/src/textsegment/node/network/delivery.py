"""Delivery of results to other systems: at once if possible, else again and again until they have arrived."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from textsegment.errors import DestinationUnreachableError, InputNotFoundError, TextSegmentError
from textsegment.node.connections import Destination, DicomDestination
from textsegment.node.journal.entries import Delivery
from textsegment.node.journal.journal import Journal
from textsegment.node.network.dicomweb import store_files
from textsegment.node.network.sending import send_files
from textsegment.node.settings import Limits
from textsegment.node.spool import Spool
from textsegment.server.logs import log


def _ignore(path: Path) -> None:
    """Do nothing about a file that has arrived."""


def deliver(
    paths: Sequence[Path], destination: Destination, on_delivered: Callable[[Path], None] = _ignore
) -> None:
    """Send DICOM files to a destination, by C-STORE or STOW-RS, once.

    Sending a file again is harmless: it is the same object, and archives keep one.

    Args:
        paths: Files, which are sent as they are.
        destination: Destination.
        on_delivered: Called with each file that the destination has confirmed.

    Raises:
        DestinationUnreachableError: The destination cannot be reached, or went silent.
        DestinationRefusedError: It refused the connection or a file.
        InputUnreadableError: A file is no DICOM file.
        SettingsError: Certificates or credentials cannot be used.
    """
    if isinstance(destination, DicomDestination):
        send_files(paths, destination, on_delivered)
    else:
        store_files(paths, destination, on_delivered)


class Courier:
    """Delivers everything that waits for one destination.

    Args:
        destination: The destination.
        journal: Journal.
        spool: Spool.
        limits: Limits.

    Attributes:
        destination: The destination.
    """

    def __init__(self, destination: Destination, journal: Journal, spool: Spool, limits: Limits) -> None:
        self.destination = destination
        self._journal, self._spool, self._limits = journal, spool, limits

    def deliver_due(self, is_stopping: Callable[[], bool]) -> int:
        """Deliver what is due, the oldest first; returns the number of files that arrived.

        Args:
            is_stopping: Tells whether the node is being stopped.
        """
        now = time.time()
        waiting = self._journal.deliveries(destination=self.destination.name, state="waiting")
        due = [delivery for delivery in waiting if delivery.next_at <= now]
        arrived = 0
        for number, group in groupby(due, key=lambda delivery: delivery.series):
            files = list(group)
            if is_stopping():
                break
            count, error = self._deliver(number, files)
            arrived += count
            if isinstance(error, DestinationUnreachableError):
                break
        return arrived

    def _deliver(self, number: int, files: list[Delivery]) -> tuple[int, TextSegmentError | None]:
        """Deliver files of one entry; returns how many arrived, and what was wrong with the next one."""
        folder = self._spool.results(number)
        left = {folder / delivery.file: delivery for delivery in files}
        count = len(left)

        def on_delivered(path: Path) -> None:
            if self._journal.set_delivered(left.pop(path)):
                log("delivered", entry=number)

        error: TextSegmentError | None = None
        is_final = False
        try:
            if not all(path.is_file() for path in left):
                is_final = True
                raise InputNotFoundError("Results have left the spool.", "Send the series again.")
            deliver(list(left), self.destination, on_delivered)
        except TextSegmentError as caught:
            error = caught
            for delivery in left.values():
                next_at = time.time() + self._limits.wait_s(delivery.attempts + 1)
                self._journal.set_undelivered(delivery, error, next_at, is_final=is_final)
            log("delivery_failed", entry=number, destination=self.destination.name, code=error.code)
        return count - len(left), error
