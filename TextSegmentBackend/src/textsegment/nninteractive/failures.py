"""Translation of the failures of nnInteractive's client into typed errors."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from textsegment.errors import (
    BusyError,
    DependencyMissingError,
    EngineLostError,
    ForbiddenError,
    LimitExceededError,
    RequestError,
    ServerTimeoutError,
    ServerUnreachableError,
    StreamBrokenError,
    TextSegmentError,
    TlsError,
    UnauthorizedError,
    VersionMismatchError,
)

_RETRY_AFTER_S = 10


class SessionLostError(Exception):
    """The server has given the session up, and the image with it: a new session may begin."""


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Context manager that turns whatever the client of nnInteractive raises into one typed error.

    Exceptions of the client may hold the address, the key and texts of the server, so they are not chained.

    Args:
        url: Address of the server, for messages.

    Raises:
        DependencyMissingError: The client is not installed.
        ServerUnreachableError: No connection could be made; subclasses are TlsError and ServerTimeoutError.
        UnauthorizedError: The key is missing or wrong.
        BusyError: All sessions of the server are in use.
        VersionMismatchError: The server is another program, or another version of it.
        EngineLostError: The server failed in the middle of the job.
        SessionLostError: The server has given the session up.
        TextSegmentError: Any other failure.
    """
    try:
        yield
    except (TextSegmentError, SessionLostError):
        raise
    except ImportError:
        raise missing() from None
    except Exception as error:  # noqa: BLE001  # of another's library: all of them are translated
        raise _translated(error, url) from None


def missing() -> DependencyMissingError:
    """Return the error for a client that is not installed."""
    return DependencyMissingError(
        "The client of nnInteractive is not installed.",
        'Install it: pip install "textsegment[nninteractive]"',
    )


def _translated(error: Exception, url: str) -> Exception:
    import httpx
    from nnInteractive.inference.remote import ServerAtCapacityError, SessionExpiredError

    if isinstance(error, SessionExpiredError):
        return SessionLostError()
    if isinstance(error, ServerAtCapacityError):
        return BusyError(
            "All sessions of the nnInteractive server are in use.", "Try again in a while.", _RETRY_AFTER_S
        )
    if isinstance(error, httpx.HTTPStatusError):
        return _of_status(error.response.status_code)
    if isinstance(error, httpx.TimeoutException):
        return ServerTimeoutError(f"The nnInteractive server at {url} did not answer in time.", "Ask again.")
    if isinstance(error, httpx.TransportError):
        if _is_about_tls(error):
            return TlsError(
                f"The identity of the nnInteractive server at {url} cannot be verified.",
                "Check the address; SSL_CERT_FILE in the environment names its certificate authority.",
            )
        if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
            return StreamBrokenError(
                "The connection to the nnInteractive server broke.", "Is it still running?"
            )
        return ServerUnreachableError(
            f"No nnInteractive server answers at {url}.", "Is it running? Check address and port."
        )
    if isinstance(error, (KeyError, TypeError, ValueError, AttributeError)):
        return _another_version()
    return EngineLostError("The nnInteractive server failed.", "See what it says itself; then ask again.")


def _of_status(status: int) -> TextSegmentError:
    if status == 401:
        return UnauthorizedError(
            "The key of the nnInteractive server is missing or wrong.", "Ask whoever runs it."
        )
    if status == 403:
        return ForbiddenError("The nnInteractive server refuses the request.", "Ask whoever runs it.")
    if status == 413:
        return LimitExceededError("The image is too large for the nnInteractive server.", "Use a part of it.")
    if status in (400, 422):
        return RequestError("The nnInteractive server does not take the edits.", "Draw at least one slice.")
    if status >= 500:
        return EngineLostError("The nnInteractive server failed.", "See what it says itself; then ask again.")
    return _another_version()


def _another_version() -> VersionMismatchError:
    return VersionMismatchError(
        "What answers is no nnInteractive server, or one of another version.",
        "Check the address, and update nninteractive-client and the server.",
    )


def _is_about_tls(error: BaseException) -> bool:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        if isinstance(at, ssl.SSLError):
            return True
        seen.add(id(at))
        at = at.__cause__ or at.__context__
    return False
