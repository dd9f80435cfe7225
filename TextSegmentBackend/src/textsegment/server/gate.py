"""Middleware: what is checked before a body is read, and what becomes of errors."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textsegment.errors import TextSegmentError
from textsegment.server.body import ClientGoneError
from textsegment.server.security import HostCheck, KeyCheck, client_address
from textsegment.server.settings import ServerSettings
from textsegment.wire.admission import require_length, require_media_type, require_version
from textsegment.wire.contract import (
    HEALTH_ROUTE,
    INFO_ROUTE,
    JSON_TYPE,
    PROTOCOL_HEADER,
    PROTOCOL_VERSION,
    UPGRADE_PROTOCOL,
    VOLUME_TYPE,
)
from textsegment.wire.failures import ErrorReport, status_of


@dataclass(frozen=True)
class Client:
    """Who sent a request.

    Attributes:
        owner: Whose volumes are seen: the same text for the same key.
        address: Where the request came from; never logged.
    """

    owner: str
    address: str


class Gate:
    """Checks host name, key, version, type and length, in this order; the client is in the request's state."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = HostCheck(settings)
        self._keys = KeyCheck(settings.keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        path, method = scope["path"], scope["method"]
        self._hosts.require(headers.get("host"))
        address = client_address(scope.get("client"), headers, behind_proxy=self._settings.behind_proxy)
        if path == HEALTH_ROUTE:
            return
        owner = self._keys.owner(headers.get("authorization"), address)
        scope.setdefault("state", {})["client"] = Client(owner, address)
        if not path.startswith("/v1/"):
            return
        if path != INFO_ROUTE:
            require_version(headers.get(PROTOCOL_HEADER))
        if method == "PUT":
            require_media_type(headers.get("content-type"), VOLUME_TYPE)
            require_length(headers.get("content-length"), self._settings.limits.max_upload_bytes)
        elif method == "POST":
            require_media_type(headers.get("content-type"), JSON_TYPE)
            require_length(headers.get("content-length"), self._settings.limits.max_request_bytes)


class ErrorAnswers:
    """Turns typed errors into their answers, and any other into a plain 500; the outermost middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                if scope["path"].startswith("/v1/"):
                    MutableHeaders(raw=message["headers"]).setdefault(PROTOCOL_HEADER, str(PROTOCOL_VERSION))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientGoneError:
            pass
        except TextSegmentError as error:
            if has_begun:
                raise
            await error_response(error)(scope, receive, watched)


def error_response(error: TextSegmentError, headers: dict[str, str] | None = None) -> Response:
    """Return the answer for an error."""
    report, status = ErrorReport.from_error(error), status_of(error)
    headers = dict(headers or {})
    if status == 429:
        headers["Retry-After"] = str(report.retry_after_s)
    if status == 426:
        headers["Upgrade"] = UPGRADE_PROTOCOL
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(report.to_json(), status, headers, JSON_TYPE)
