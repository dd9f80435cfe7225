"""A server or node cannot store what it was given."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class StorageError(TextSegmentError):
    """The server cannot store the volume: its disk or volume store is full or has failed."""

    code = "storage_failed"


class SpoolFullError(StorageError):
    """The spool of the DICOM node has reached its limit, or its disk is full."""

    code = "spool_full"


class JournalError(StorageError):
    """The journal of the DICOM node cannot be used."""

    code = "journal_unusable"
