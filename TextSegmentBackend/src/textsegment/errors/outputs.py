"""The result cannot be written or delivered."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class OutputError(TextSegmentError):
    """The result cannot be written."""

    code = "output_unwritable"


class DiskFullError(OutputError):
    """The disk is full; no partially written result is left behind."""

    code = "disk_full"


class OverlapError(OutputError):
    """Structures overlap, but the chosen format can hold only one structure per voxel."""

    code = "structures_overlap"


class NothingFoundError(OutputError):
    """None of the structures was found, so there is nothing to write."""

    code = "nothing_found"


class DestinationError(OutputError):
    """The result could not be delivered to another system."""

    code = "destination_failed"


class DestinationUnreachableError(DestinationError):
    """The other system cannot be reached, or does not answer in time."""

    code = "destination_unreachable"


class DestinationRefusedError(DestinationError):
    """The other system refused the connection or the object."""

    code = "destination_refused"
