"""Middleware that decides from the head of a request whether its body is read at all."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from textsegment.server.http.routes.page import is_page
from textsegment.server.http.security import NOBODY, HostCheck, KeyCheck, client_address
from textsegment.server.keys import KeyRing
from textsegment.server.settings import ServerSettings
from textsegment.wire.admission import require_length, require_media_type, require_version
from textsegment.wire.contract import (
    CONTOURS_ROUTE,
    CORRECT_ROUTE,
    CORRECTION_TYPE,
    HEALTH_ROUTE,
    INFO_ROUTE,
    JSON_TYPE,
    OUTLINE_TYPE,
    PROTOCOL_HEADER,
    READY_ROUTE,
    VOLUME_TYPE,
)
from textsegment.wire.correction_codec import max_correction_bytes

_WITH_MASKS = {CORRECT_ROUTE: CORRECTION_TYPE, CONTOURS_ROUTE: OUTLINE_TYPE}
"""Routes to which masks are sent, and the media type of their bodies."""


@dataclass(frozen=True)
class Client:
    """The sender of a request.

    Attributes:
        owner: Owner of the volumes it may use; the same text for the same key.
        address: Address from which the request came; never logged.
        name: Name of the access key, for the audit file.
    """

    owner: str
    address: str
    name: str


class AdmissionMiddleware:
    """Checks host name, access key, protocol version, media type and length, in this order.

    It stores the ``client`` in the state of the request.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = HostCheck(settings)
        self._keys = KeyCheck(KeyRing(settings.keys, settings.token_file))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it is admitted.

        Raises:
            TextSegmentError: If the request is refused.
        """
        if scope["type"] == "http":
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        path: str = scope["path"]
        self._hosts.require(headers.get("host"))
        if path in (HEALTH_ROUTE, READY_ROUTE) or is_page(path):
            return
        address = client_address(scope.get("client"), headers, behind_proxy=self._settings.behind_proxy)
        key = self._keys.key(headers.get("authorization"), address)
        scope.setdefault("state", {})["client"] = (
            Client(NOBODY, address, NOBODY) if key is None else Client(key.owner, address, key.name)
        )
        if path.startswith("/v1/"):
            self._check_contract(path, scope["method"], headers)

    def _check_contract(self, path: str, method: str, headers: Headers) -> None:
        if path != INFO_ROUTE:
            require_version(headers.get(PROTOCOL_HEADER))
        limits = self._settings.limits
        if method == "PUT":
            require_media_type(headers.get("content-type"), VOLUME_TYPE)
            require_length(headers.get("content-length"), limits.max_upload_bytes)
        elif method == "POST":
            media_type = _WITH_MASKS.get(path, JSON_TYPE)
            most = max_correction_bytes(limits) if path in _WITH_MASKS else limits.max_request_bytes
            require_media_type(headers.get("content-type"), media_type)
            require_length(headers.get("content-length"), most)
