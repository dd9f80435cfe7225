"""Checks of request headers that a server makes before it reads a body."""

from __future__ import annotations

from textsegment.caution import Caution
from textsegment.errors import LimitExceededError, RequestError, VersionMismatchError
from textsegment.wire.contract import PROTOCOL_HEADER, PROTOCOL_VERSION, version_mismatch

_VERSION_DIGITS = 6
_LENGTH_DIGITS = 18


def require_version(header: str | None) -> None:
    """Check the ``TextSegment-Protocol`` header.

    Raises:
        VersionMismatchError: The header is missing or names another version.
    """
    if header is None or not _is_number(header, _VERSION_DIGITS):
        raise VersionMismatchError(
            f"The request does not say its protocol version in the header {PROTOCOL_HEADER}.",
            f"This server speaks version {PROTOCOL_VERSION}.",
        )
    if int(header) != PROTOCOL_VERSION:
        raise version_mismatch(header)


def require_media_type(header: str | None, expected: str) -> None:
    """Check the ``Content-Type`` header; parameters such as ``charset`` are ignored.

    Raises:
        RequestError: The header is missing or names another media type.
    """
    if header is None or header.partition(";")[0].strip().lower() != expected:
        raise RequestError(f"The Content-Type of this request is {expected}.")


def require_length(header: str | None, maximum: int) -> None:
    """Check the ``Content-Length`` header; a body without it is measured while it is read.

    Raises:
        LimitExceededError: The declared length exceeds ``maximum`` bytes.
        RequestError: The header is not a number, or the body is empty.
    """
    if header is None:
        return
    if not (header.isascii() and header.isdigit()):
        raise RequestError("The Content-Length is no number.")
    if len(header) > _LENGTH_DIGITS or int(header) > maximum:
        raise LimitExceededError(Caution("limit_request", most_bytes=maximum))
    if int(header) == 0:
        raise RequestError("The request is empty.")


def _is_number(text: str, max_digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= max_digits
