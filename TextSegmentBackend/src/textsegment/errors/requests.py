"""A server refuses a request."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class RequestError(TextSegmentError):
    """The request is malformed: corrupt, truncated, or with a missing or wrongly typed field."""

    code = "request_invalid"


class ChecksumError(RequestError):
    """The data received differ from the data sent; they are discarded."""

    code = "checksum_mismatch"


class UploadOutOfStepError(RequestError):
    """The upload resumes at a different chunk from the one the server expects."""

    code = "upload_out_of_step"


class RequestTimeoutError(RequestError):
    """The request arrived too slowly."""

    code = "request_timeout"


class VersionMismatchError(TextSegmentError):
    """Client and server use different versions of the protocol."""

    code = "version_mismatch"


class UnauthorizedError(TextSegmentError):
    """The access key is missing or wrong."""

    code = "unauthorized"


class ForbiddenError(TextSegmentError):
    """The request is not allowed, for example because it names a foreign host."""

    code = "forbidden"


class VolumeUnknownError(TextSegmentError):
    """The server does not hold this volume, or no longer does: upload it again."""

    code = "volume_unknown"


class BusyError(TextSegmentError):
    """The queue is full.

    Attributes:
        retry_after_s: Seconds to wait before trying again.
    """

    code = "busy"

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class RateLimitedError(BusyError):
    """Too many requests, or too many wrong keys, from one address."""

    code = "rate_limited"
