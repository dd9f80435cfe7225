"""Transmission of errors: HTTP status, JSON report, and conversion back into an exception."""

from __future__ import annotations

from dataclasses import dataclass

from textsegment import errors
from textsegment.caution import Caution
from textsegment.errors import (
    BusyError,
    RequestError,
    StreamBrokenError,
    TextSegmentError,
    UnknownStructureError,
)
from textsegment.wire.caution_codec import caution_fields, read_caution
from textsegment.wire.strict_json import read_object, write_object

MAX_REPORT_BYTES = 2**17
MAX_RETRY_AFTER_S = 3600

_TEXT_CHARACTERS = 1000
_CODE_CHARACTERS = 64
_SUGGESTIONS = 20
_SUGGESTION_CHARACTERS = 200

_STATUS: dict[type[TextSegmentError], int] = {
    TextSegmentError: 500,
    RequestError: 422,
    errors.RequestTimeoutError: 408,
    errors.UploadOutOfStepError: 409,
    errors.InputError: 422,
    errors.LimitExceededError: 413,
    errors.PromptError: 422,
    errors.UnauthorizedError: 401,
    errors.ForbiddenError: 403,
    errors.VolumeUnknownError: 404,
    errors.VersionMismatchError: 426,
    BusyError: 429,
    errors.StorageError: 507,
    errors.OutOfMemoryError: 507,
    errors.WeightsError: 503,
    errors.DeviceError: 503,
    errors.EngineLostError: 503,
}

# Meaning of responses without a report: those of a proxy, or to HEAD, which has no body.
_BARE: dict[int, tuple[type[TextSegmentError], str, str]] = {
    401: (errors.UnauthorizedError, "The access key is missing or wrong.", "Check the key of this server."),
    403: (errors.ForbiddenError, "The server or a proxy refuses access.", "Check address and access rights."),
    404: (errors.VolumeUnknownError, "The server does not hold this volume.", "Upload it again."),
    408: (errors.RequestTimeoutError, "The request came in too slowly.", "Check the network and try again."),
    409: (
        errors.UploadOutOfStepError,
        "The upload is out of step.",
        "Ask for the next chunk and go on there.",
    ),
    413: (errors.LimitExceededError, "The server or a proxy refuses a request of this size.", ""),
    422: (RequestError, "The server cannot use the request.", ""),
    426: (errors.VersionMismatchError, "The server speaks another version of the protocol.", "Update."),
    429: (errors.RateLimitedError, "There were too many requests.", "Try again later."),
    503: (BusyError, "The server is not available now.", "Try again later."),
    507: (errors.StorageError, "The server has no room left.", "Ask the operator of the server."),
}


def status_of(error: TextSegmentError) -> int:
    """Return the HTTP status for an error raised before the response has started."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def error_classes() -> dict[str, type[TextSegmentError]]:
    """Return all error classes, keyed by their code."""
    found = (v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, TextSegmentError))
    return {kind.code: kind for kind in found}


@dataclass(frozen=True)
class ErrorReport:
    """Body of an error response, and payload of the ``ERRO`` frame.

    Attributes:
        code: Stable identifier of the failure.
        message: Sentence that says what is wrong, often a caution with code and values.
        hint: Sentence that says what to do about it; may be empty.
        suggestions: For ``structure_unknown``, the closest structures, best match first.
        retry_after_s: For ``busy`` and ``rate_limited``, seconds to wait before trying again; 0 otherwise.
    """

    code: str
    message: str
    hint: str = ""
    suggestions: tuple[str, ...] = ()
    retry_after_s: int = 0

    @classmethod
    def from_error(cls, error: TextSegmentError) -> ErrorReport:
        """Return the report of an error; overlong texts are truncated."""
        suggestions = error.suggestions if isinstance(error, UnknownStructureError) else ()
        retry_after_s = error.retry_after_s if isinstance(error, BusyError) else 0
        return cls(
            error.code,
            _sendable(error.message),
            _sendable(error.hint),
            tuple(_sendable(text, _SUGGESTION_CHARACTERS) for text in suggestions[:_SUGGESTIONS]),
            min(max(retry_after_s, 0), MAX_RETRY_AFTER_S),
        )

    def to_error(self) -> TextSegmentError:
        """Return the reported exception; an unknown code gives a plain ``TextSegmentError``."""
        kind = error_classes().get(self.code)
        if kind is None:
            return TextSegmentError(f"{self.message} ({self.code})", self.hint)
        if issubclass(kind, UnknownStructureError):
            return kind(self.message, self.hint, self.suggestions)
        if issubclass(kind, BusyError):
            return kind(self.message, self.hint, self.retry_after_s)
        return kind(self.message, self.hint)

    def to_json(self, *, details: bool = False) -> bytes:
        """Serialise the report as JSON.

        Args:
            details: Whether code and values of the message go along, for readers that know that field.
        """
        fields = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "suggestions": list(self.suggestions),
            "retry_after_s": self.retry_after_s,
        }
        caution = caution_fields(self.message) if details else None
        return write_object(fields | ({"caution": caution} if caution else {}))

    @classmethod
    def from_json(cls, body: bytes | bytearray) -> ErrorReport:
        """Parse the JSON of a report.

        Raises:
            RequestError: The report is malformed.
        """
        if len(body) > MAX_REPORT_BYTES:
            raise RequestError(f"An error report has at most {MAX_REPORT_BYTES} bytes.")
        given = read_object(body, "The error report")
        message = given.text("message", _TEXT_CHARACTERS)
        report = cls(
            given.text("code", _CODE_CHARACTERS),
            read_caution(message, given.fields("caution")) if given.has("caution") else message,
            given.text("hint", _TEXT_CHARACTERS),
            given.texts("suggestions", _SUGGESTIONS, _SUGGESTION_CHARACTERS),
            given.whole("retry_after_s", 0, MAX_RETRY_AFTER_S),
        )
        given.end()
        return report


def error_from_answer(status: int, body: bytes, retry_after: str | None = None) -> TextSegmentError:
    """Return the exception for an HTTP response with an error status.

    Args:
        status: HTTP status, at least 400.
        body: Response body: a report, or anything else, such as an error page of a proxy.
        retry_after: Value of the ``Retry-After`` header; only whole seconds are supported.
    """
    try:
        return ErrorReport.from_json(body).to_error()
    except RequestError:
        kind, message, hint = _BARE.get(
            status, (StreamBrokenError, f"The server answered with status {status} and no report.", "")
        )
    if issubclass(kind, BusyError):
        return kind(message, hint, _seconds(retry_after))
    return kind(message, hint)


def _seconds(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 9):
        return 1
    return min(int(text), MAX_RETRY_AFTER_S)


def _sendable(text: str, max_characters: int = _TEXT_CHARACTERS) -> str:
    if isinstance(text, Caution) and len(text) <= max_characters:
        return text
    return text[:max_characters].encode("utf-8", "replace").decode("utf-8")
