"""What the journal of a node holds: entries for series, and deliveries of their results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """State of a series."""

    RECEIVING = "receiving"
    """Images arrive."""
    WAITING = "waiting"
    """A rule matches; it waits for other series of the study, among which one is chosen."""
    DECIDED = "decided"
    """It is going to be segmented."""
    RUNNING = "running"
    """It is being segmented."""
    SEGMENTED = "segmented"
    """Results exist, and are being delivered."""
    DELIVERED = "delivered"
    """All results are at their destinations."""
    IGNORED = "ignored"
    """No rule matches, or another series of the study was chosen."""
    FAILED = "failed"
    """It cannot be served; the code says why."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens unless new images arrive."""
        return self in (State.DELIVERED, State.IGNORED, State.FAILED)


@dataclass(frozen=True)
class Entry:
    """One version of a series: late images make a new version.

    Attributes:
        id: Number of the entry.
        uid: Identifier of the series in the journal.
        version: Version, from 1.
        study: Identifier of the study in the journal.
        state: State.
        sender: AE title of the sender, or name of the DICOMweb query.
        interrupted: Whether the sender broke off.
        images: Number of images, once complete.
        expected: Number of images that the archive has; None if unknown.
        received_at: Time of the first image, in seconds since 1970.
        changed_at: Time of the last change of state.
        rule: Name of the rule.
        reason: Reason of the state, without patient data.
        code: Code of an error; empty if there is none.
        hint: What to do about the error.
        attempts: Number of attempts to segment it.
        next_at: Earliest time of the next attempt.
        seconds: Time from the first image to the results; None before.
        engine_seconds: Time of the engine within that.
    """

    id: int
    uid: str
    version: int
    study: str
    state: State
    sender: str
    interrupted: bool
    images: int
    expected: int | None
    received_at: float
    changed_at: float
    rule: str
    reason: str
    code: str
    hint: str
    attempts: int
    next_at: float
    seconds: float | None
    engine_seconds: float | None


@dataclass(frozen=True)
class Delivery:
    """One file on its way to one destination.

    Attributes:
        series: Number of the entry.
        file: File name below the results of the entry.
        destination: Name of the destination.
        state: ``waiting``, ``delivered`` or ``failed``.
        attempts: Number of attempts.
        next_at: Earliest time of the next attempt.
        code: Code of the last error; empty if there is none.
        reason: Message of the last error.
        changed_at: Time of the last attempt.
    """

    series: int
    file: str
    destination: str
    state: str
    attempts: int
    next_at: float
    code: str
    reason: str
    changed_at: float
