"""A job cannot be computed to its end."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class DeviceError(TextSegmentError):
    """The requested device is not available or does not work."""

    code = "device_unavailable"


class OutOfMemoryError(TextSegmentError):
    """Memory ran out after every fallback was tried."""

    code = "out_of_memory"


class DependencyMissingError(TextSegmentError):
    """A required package is not installed; the hint contains the pip command."""

    code = "dependency_missing"


class CancelledError(TextSegmentError):
    """The job was cancelled by its owner."""

    code = "cancelled"


class EngineLostError(TextSegmentError):
    """The engine stopped in the middle of a job; the next job gets a new one."""

    code = "engine_lost"
