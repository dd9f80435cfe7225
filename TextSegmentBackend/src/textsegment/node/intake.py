"""Intake: takes images one by one, and says when a series is complete."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from textsegment.errors import (
    InputUnreadableError,
    LimitExceededError,
    SeriesIncompleteError,
    SpoolFullError,
    TextSegmentError,
    VolumeInvalidError,
)
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.values import DAMAGE
from textsegment.node.journal.entries import Entry, State
from textsegment.node.journal.journal import Journal
from textsegment.node.settings import Limits
from textsegment.node.spool import Spool

IMAGE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2",  # CT
    "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4",  # MR
    "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.128.1", "1.2.840.10008.5.1.4.1.1.130",  # PET
)  # fmt: skip
"""SOP classes that are taken: slices, enhanced and legacy-converted. Results have others: they stay out."""
MODALITIES = ("CT", "MR", "PT")
_NEEDED = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "Modality",
    "SpecificCharacterSet",
]
_IDENTIFIER = re.compile(r"[0-9.]{1,64}")
_MEGABYTE = 2**20


@dataclass(frozen=True, repr=False)
class ReceivedImage:
    """An image that has arrived, as a file in memory.

    Attributes:
        content: The file.
        image_uid: SOP instance UID.
        series_uid: Series instance UID.
        study_uid: Study instance UID.
        sop_class: SOP class UID.
    """

    content: bytes
    image_uid: str
    series_uid: str
    study_uid: str
    sop_class: str

    @classmethod
    def of(cls, content: bytes) -> ReceivedImage:
        """Read the identifiers of an image.

        Raises:
            InputUnreadableError: It is no DICOM object, is damaged, or lacks identifiers.
            VolumeInvalidError: It is another object than an image that can be segmented, such as a result.
        """
        try:
            with quiet_pydicom():
                header = pydicom.dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=_NEEDED)
                uids = [str(header.get(keyword) or "") for keyword in _NEEDED[:4]]
                modality = str(header.get("Modality") or "")
        except (InvalidDicomError, *DAMAGE) as error:
            raise InputUnreadableError(
                "The object is no DICOM object, or damaged.", "Send it again."
            ) from error
        sop_class, image, series, study = uids
        if not all(map(_IDENTIFIER.fullmatch, uids)):
            raise InputUnreadableError("The object lacks identifiers.", "Use the original one.")
        if sop_class not in IMAGE_CLASSES or modality not in MODALITIES:
            raise VolumeInvalidError(
                "The object is no image that can be segmented.", "Send CT, MR and PET only."
            )
        return cls(content, image, series, study, UID(sop_class))


class Intake:
    """Takes images into the spool, and finds complete series.

    A sender is followed by its *session* (an association, or one fetch of a series). While it lasts, its
    series are not complete; if it ends early, they wait for the sender to go on.

    Args:
        journal: Journal.
        spool: Spool.
        limits: Limits.
        hashed: Whether the journal holds hashes of identifiers.
        count_of: Asks an archive for the number of images of a series; returns None if it does not know.

    Attributes:
        taken: Number of images that were new.
        repeated: Number of images that had come before.
        refused: Number of refused objects by code.
    """

    def __init__(
        self,
        journal: Journal,
        spool: Spool,
        limits: Limits,
        *,
        hashed: bool = False,
        count_of: Callable[[Entry], int | None] | None = None,
    ) -> None:
        self._journal, self._spool, self._limits, self._hashed = journal, spool, limits, hashed
        self._count_of = count_of
        self._lock = threading.RLock()
        self._sessions: dict[object, dict[int, bool]] = defaultdict(dict)  # whether an image was refused
        self._writing: Counter[int] = Counter()
        self._last: dict[int, float] = {}
        self._asked: dict[int, float] = {}
        self.taken = self.repeated = 0
        self.refused: Counter[str] = Counter()

    @property
    def largest_bytes(self) -> int:
        """Size of the largest object that is taken."""
        return self._limits.object_mb * _MEGABYTE

    def identifier(self, uid: str) -> str:
        """Return the form of a UID in the journal."""
        return self._spool.key(uid) if self._hashed else uid

    def spool_key(self, entry: Entry) -> str:
        """Return the key of the images of an entry in the spool."""
        return entry.uid if self._hashed else self._spool.key(entry.uid)

    def take(self, content: bytes, sender: str, session: object) -> ReceivedImage:
        """Take an image; once this returns, it is safe on the disk or known to have been served before.

        Args:
            content: The file.
            sender: AE title of the sender, or name of the DICOMweb query.
            session: What the image came with.

        Raises:
            InputError: It cannot be used.
            SpoolFullError: There is no room for it.
            JournalError: The journal cannot be used.
        """
        try:
            if len(content) > self.largest_bytes:
                raise LimitExceededError("The object is larger than is accepted.", "Raise limits.object_mb.")
            image = ReceivedImage.of(content)
            self._take(image, sender, session)
        except TextSegmentError as error:
            self.refused[error.code] += 1
            raise
        return image

    def _take(self, image: ReceivedImage, sender: str, session: object) -> None:
        key = self._spool.key(image.image_uid)
        with self._lock:
            entry = self._entry_for(image, key, sender)
            if entry is None:
                self.repeated += 1
                return
            if entry.id not in self._sessions[session]:
                self._sessions[session][entry.id] = False
                if not entry.interrupted:
                    self._journal.set_interrupted(entry.id, True)  # until the session has ended well
            self._writing[entry.id] += 1
        try:
            is_new = self._spool.store(self.spool_key(entry), key, image.content)
        except SpoolFullError:
            with self._lock:
                self._sessions[session][entry.id] = True
            raise
        finally:
            with self._lock:
                self._writing[entry.id] -= 1
                self._last[entry.id] = time.monotonic()
        self.taken += is_new
        self.repeated += not is_new

    def _entry_for(self, image: ReceivedImage, key: str, sender: str) -> Entry | None:
        """Return the entry that an image belongs to; None if it was served before."""
        series = self.identifier(image.series_uid)
        latest = self._journal.latest(series)
        if latest is not None and latest.state is State.RECEIVING:
            return latest
        # What could not be served is tried again if it is sent again.
        was_served = latest is not None and latest.state not in (State.FAILED, State.IGNORED)
        if was_served and self._journal.knows_image(series, key):
            return None
        self._spool.require_room(len(image.content))
        return self._journal.begin(series, self.identifier(image.study_uid), sender, interrupted=True)

    def end_session(self, session: object, *, well: bool, whole: bool = False) -> None:
        """Record that a sender has finished.

        Args:
            session: What its images came with.
            well: Whether it ended in order; if not, its series wait for the rest.
            whole: Whether all images are known to have come, so that there is no need to wait for others.
        """
        with self._lock:
            for number, was_refused in self._sessions.pop(session, {}).items():
                self._last[number] = time.monotonic() - (self._limits.quiet_s if whole else 0.0)
                if well and not was_refused:
                    self._journal.set_interrupted(number, False)

    def release(self, uid: str) -> None:
        """Remove the images of a series from the spool, unless they are needed or new ones are coming."""
        with self._lock:
            latest = self._journal.latest(uid)
            if latest is not None and latest.state.is_final:
                self._spool.remove_images(self.spool_key(latest))

    def complete(self) -> list[Entry]:
        """Return the entries that have become complete, and fail those that will not."""
        found = []
        for entry in self._journal.entries(State.RECEIVING):
            try:
                with self._lock:
                    if self._is_complete(entry):
                        self._journal.add_images(entry, self._spool.images(self.spool_key(entry)))
                        found.append(self._journal.entry(entry.id))
            except SeriesIncompleteError as error:
                self._journal.set_state(entry.id, State.FAILED, error=error)
        return found

    def _is_complete(self, entry: Entry) -> bool:
        if self._writing[entry.id] or any(entry.id in session for session in self._sessions.values()):
            return False
        quiet_s = time.monotonic() - self._last_at(entry)
        is_given_up = quiet_s >= self._limits.resume_s
        if entry.interrupted:
            if is_given_up:
                raise SeriesIncompleteError("The sender broke off.", "Send the whole series again.")
            return False
        present = self._spool.images(self.spool_key(entry))
        if entry.expected is not None and entry.expected == len(present):
            return self._require_all(entry, present)
        if quiet_s < self._limits.quiet_s:
            return False
        expected = self._expected(entry)
        if expected is None or len(present) >= expected:
            return self._require_all(entry, present)
        if is_given_up:
            raise SeriesIncompleteError(
                f"Only {len(present)} of {expected} images have come.", "Send the whole series again."
            )
        return False

    def _require_all(self, entry: Entry, present: dict[str, Any]) -> bool:
        """Check that the images of earlier versions are still there."""
        if self._journal.images(entry.uid, entry.version) - present.keys() or not present:
            raise SeriesIncompleteError(
                "Earlier images of the series have left the spool.", "Send the whole series again."
            )
        return True

    def _expected(self, entry: Entry) -> int | None:
        """Return how many images an archive has of a series, asked anew after each silence."""
        if self._count_of is None:
            return entry.expected
        now = time.monotonic()
        if now - self._asked.get(entry.id, -self._limits.quiet_s) >= self._limits.quiet_s:
            self._asked[entry.id] = now
            if (count := self._count_of(entry)) is not None:
                self._journal.expect(entry.id, count)
                return count
        return entry.expected

    def _last_at(self, entry: Entry) -> float:
        if entry.id not in self._last:  # received by a process that has ended
            then = max(entry.received_at, self._spool.last_change(self.spool_key(entry)))
            self._last[entry.id] = time.monotonic() - max(0.0, time.time() - then)
        return self._last[entry.id]
