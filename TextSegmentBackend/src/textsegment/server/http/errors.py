"""Outermost middleware, which answers errors, counts requests and logs one line for each."""

from __future__ import annotations

import json
import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textsegment.errors import TextSegmentError
from textsegment.server.audit import AuditFile, AuditNote
from textsegment.server.http.admission import Client
from textsegment.server.http.body import ClientGoneError
from textsegment.server.http.routes.page import is_page
from textsegment.server.logs import describe_defect, log
from textsegment.server.metrics import Metrics
from textsegment.wire.caution_codec import caution_fields
from textsegment.wire.contract import (
    CAUTION_HEADER,
    CONTOURS_ROUTE,
    CORRECT_ROUTE,
    HEALTH_ROUTE,
    INFO_ROUTE,
    JSON_TYPE,
    METRICS_ROUTE,
    PROTOCOL_HEADER,
    PROTOCOL_VERSION,
    READY_ROUTE,
    RESOLVE_ROUTE,
    SEARCH_ROUTE,
    SEGMENT_ROUTE,
    STRUCTURES_ROUTE,
    TEMPLATES_ROUTE,
    TREE_ROUTE,
    UPGRADE_PROTOCOL,
    VOLUME_ROUTE,
)
from textsegment.wire.failures import ErrorReport, status_of

_QUIET = (HEALTH_ROUTE, READY_ROUTE, METRICS_ROUTE)
_TERMS = (RESOLVE_ROUTE, SEARCH_ROUTE, TREE_ROUTE, TEMPLATES_ROUTE, STRUCTURES_ROUTE)
_ROUTES = (*_QUIET, *_TERMS, INFO_ROUTE, SEGMENT_ROUTE, CORRECT_ROUTE, CONTOURS_ROUTE)
_METHODS = ("GET", "HEAD", "PUT", "POST")


class ErrorMiddleware:
    """Turns errors into responses, and records how each request ended.

    It stores the ``note`` for the audit file in the state of the request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, audit: AuditFile | None) -> None:
        self._app = app
        self._metrics = metrics
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request to its end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["note"] = AuditNote()
        begin = time.monotonic()
        status = 0  # until a response starts: there was no one to answer

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if scope["path"].startswith("/v1/"):
                    headers = MutableHeaders(raw=message["headers"])
                    headers.setdefault(PROTOCOL_HEADER, str(PROTOCOL_VERSION))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientGoneError:
            pass
        except Exception as error:
            if not isinstance(error, TextSegmentError):
                log("defect", level=logging.ERROR, **describe_defect(error))
                error = TextSegmentError("This is a defect of the server.", "Report it to its operator.")
            scope["state"]["note"].result = error.code
            if status:
                raise error from None  # breaks the connection, so that the stream is not taken for complete
            await error_response(error)(scope, receive, watched)
        finally:
            self._write_down(scope, status, time.monotonic() - begin)

    def _write_down(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(route, status).inc()
        if route in _QUIET:
            return
        client: Client | None = scope["state"].get("client")
        log(
            "request",
            is_bounded=client is None,  # the sender was not authenticated
            method=method,
            route=route,
            status=status,
            seconds=round(seconds, 4),
        )
        if self._audit is not None and client is not None:
            self._audit.write(client.name, method, route, status, seconds, scope["state"]["note"])


def _route(path: str) -> str:
    """Return the pattern of a route, since a path may contain a digest or arbitrary text."""
    if path.startswith(VOLUME_ROUTE.format(digest="")):
        return VOLUME_ROUTE
    if is_page(path):
        return "page"
    return path if path in _ROUTES else "other"


def error_response(error: TextSegmentError, status: int | None = None) -> Response:
    """Return the HTTP response for an error.

    Args:
        error: Error to report.
        status: HTTP status; None for the one that belongs to the error.
    """
    report = ErrorReport.from_error(error)
    status = status or status_of(error)
    headers = {}
    if caution := caution_fields(report.message):
        headers[CAUTION_HEADER] = json.dumps(caution)  # in ASCII
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif status == 426:
        headers |= {"Upgrade": UPGRADE_PROTOCOL, "Connection": "Upgrade"}
    elif status == 429:
        headers["Retry-After"] = str(report.retry_after_s)
    return Response(report.to_json(), status, headers, JSON_TYPE)
