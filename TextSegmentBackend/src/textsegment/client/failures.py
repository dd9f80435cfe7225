"""Translation of connection failures into typed errors."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
import urllib3.exceptions

from textsegment.errors import (
    ServerTimeoutError,
    ServerUnreachableError,
    SettingsError,
    StreamBrokenError,
    TextSegmentError,
    TlsError,
)

_CHECK_CERTIFICATE = "Check the address; if the server has a certificate of its own, name its CA file."
PROXY_WANTS_PASSWORD = (
    "The proxy asks for a name and a password.",
    "Put them into its address: http://name:password@proxy.",
)
"""Message and hint for a proxy that requires authentication."""

# Values of OpenSSL's ``verify_code``.
_EXPIRED, _NOT_YET_VALID, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
# OpenSSL's reasons when the peer does not use TLS.
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER",
)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Context manager that turns exceptions of requests and urllib3 into one typed error.

    Exceptions of requests contain the headers, and so the key: only their underlying causes are chained.

    Args:
        url: Address of the server, for messages.

    Raises:
        ServerUnreachableError: No connection could be made.
        TlsError: The server's identity cannot be verified, or it does not use TLS.
        ServerTimeoutError: The server did not respond in time.
        StreamBrokenError: The connection broke, or the response is not HTTP.
        SettingsError: A proxy or CA file cannot be used.
    """
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        causes = _causes(error)
        raise _diagnosis(causes, url) from causes[-1]


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and all of its causes, outermost first."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and all(one is not other for other in found):
            found.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found


def _diagnosis(causes: list[BaseException], url: str) -> TextSegmentError:
    for kind, explain in _EXPLANATIONS:
        for cause in causes:
            if isinstance(cause, kind) and (error := explain(cause, url)) is not None:
                return error
    other = "" if url.startswith("https:") else " Does the address begin with https?"
    return StreamBrokenError("The connection to the server broke.", f"Check network and address.{other}")


def _certificate(cause: BaseException, url: str) -> TextSegmentError:
    code = getattr(cause, "verify_code", 0)
    if code in (_EXPIRED, _NOT_YET_VALID):
        return TlsError(
            "The certificate of the server is not valid today.",
            "Check the clock of this computer, or ask the operator of the server to renew it.",
        )
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return TlsError(
            f"The certificate of the server is for another name than the one in {url}.",
            "Use the name that the operator of the server gave you.",
        )
    return TlsError("The certificate of the server is signed by nobody known here.", _CHECK_CERTIFICATE)


def _tls(cause: BaseException, url: str) -> TextSegmentError | None:
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None  # the connection broke, as it could without TLS
    if any(word in str(getattr(cause, "reason", "")) for word in _NO_TLS):
        return TlsError(f"What answers at {url} speaks no TLS.", "Check the port, or whether it is http.")
    return TlsError(
        f"No encrypted connection to {url} could be agreed on.", "Ask the operator of the server."
    )


def _proxy(cause: BaseException, url: str) -> TextSegmentError:
    if "407" in " ".join(map(str, _causes(cause))):
        return ServerUnreachableError(*PROXY_WANTS_PASSWORD)
    return ServerUnreachableError(
        f"The proxy does not lead to {url}.", "Check the proxy, or name the server in NO_PROXY."
    )


def _route(cause: BaseException, url: str) -> TextSegmentError | None:
    if getattr(cause, "errno", None) not in _NO_ROUTE:
        return None
    return ServerUnreachableError(f"No network leads to {url}.", "Check cable, VPN and firewall.")


def _fixed(
    kind: type[TextSegmentError], message: str, hint: str
) -> Callable[[BaseException, str], TextSegmentError]:
    return lambda _, url: kind(message.format(url=url), hint)


_Explanation = Callable[[BaseException, str], TextSegmentError | None]
# The first match is the diagnosis: ordered from the most to the least specific kind of cause.
_EXPLANATIONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], _Explanation], ...] = (
    (ssl.SSLCertVerificationError, _certificate),
    (
        (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema),
        _fixed(
            SettingsError, "The address of the proxy cannot be used.", "Check it, for example HTTPS_PROXY."
        ),
    ),
    ((requests.exceptions.ProxyError, urllib3.exceptions.ProxyError), _proxy),
    (ssl.SSLError, _tls),
    (
        socket.gaierror,
        _fixed(
            ServerUnreachableError, "There is no computer of the name in {url}.", "Check name and network."
        ),
    ),
    (
        ConnectionRefusedError,
        _fixed(ServerUnreachableError, "No server listens at {url}.", "Start it, or check address and port."),
    ),
    (OSError, _route),
    (
        (requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
        _fixed(
            ServerTimeoutError, "No connection to {url} in time.", "Check address, port, VPN and firewall."
        ),
    ),
    (
        (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError),
        _fixed(ServerTimeoutError, "The server at {url} is silent.", "Try again later, or ask its operator."),
    ),
)
