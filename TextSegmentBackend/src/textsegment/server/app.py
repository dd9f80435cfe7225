"""The ASGI application, which serves the routes of ``docs/protocol.md`` on top of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

import textsegment
from textsegment.derive.tidy import is_tidy_by_default
from textsegment.errors import RequestError
from textsegment.server.audit import AuditFile
from textsegment.server.engines.engine import Engine
from textsegment.server.http import openapi
from textsegment.server.http.admission import AdmissionMiddleware
from textsegment.server.http.errors import ErrorMiddleware, error_response
from textsegment.server.http.routes.contours import outline
from textsegment.server.http.routes.jobs import CorrectResponse, SegmentResponse
from textsegment.server.http.routes.page import FOLDER, START, page_file
from textsegment.server.http.routes.terms import browse_tree, list_all, resolve_text, search_text
from textsegment.server.http.routes.volumes import find_volume, take_volume
from textsegment.server.metrics import Metrics
from textsegment.server.service import Service
from textsegment.server.settings import ServerSettings
from textsegment.server.volumes.private_folder import PrivateFolder
from textsegment.wire.contract import (
    CALIBRATION_HEADER,
    CONTOURS_ROUTE,
    CORRECT_ROUTE,
    FEATURES,
    FEATURES_HEADER,
    HEALTH_ROUTE,
    INFO_ROUTE,
    JSON_TYPE,
    METRICS_ROUTE,
    READY_ROUTE,
    RESOLVE_ROUTE,
    SEARCH_ROUTE,
    SEGMENT_ROUTE,
    STRUCTURES_ROUTE,
    TEMPLATES_ROUTE,
    TIDY_USUAL,
    TREE_ROUTE,
    VOLUME_ROUTE,
    checked_digest,
)


def create_app(engine: Engine, settings: ServerSettings) -> FastAPI:
    """Return the application; its lifespan starts and stops the engine, and creates and removes the store.

    Args:
        engine: Engine that runs the jobs; started and stopped by the lifespan.
        settings: Settings of the server; host, port and TLS are left to whoever runs the application.
    """
    metrics = Metrics()
    audit = None if settings.audit_file is None else AuditFile(settings.audit_file)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        folder = PrivateFolder(settings.volume_folder)
        try:
            service = Service(engine, await engine.start(), settings, folder, metrics)
            app.state.service = service
            expiry = asyncio.create_task(service.expire_volumes())
            yield
            expiry.cancel()
            await engine.stop()
            service.store.clear()
        finally:
            await engine.stop()
            folder.remove()

    app = FastAPI(
        title="TextSegment",
        version=textsegment.__version__,
        lifespan=lifespan,
        docs_url=None,  # the documentation pages load scripts from other sites
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(AdmissionMiddleware, settings=settings)
    app.add_middleware(ErrorMiddleware, metrics=metrics, audit=audit)
    app.add_exception_handler(HTTPException, _no_such_route)
    _add_routes(app, metrics)
    openapi.describe(app, has_keys=bool(settings.keys))
    return app


def _add_routes(app: FastAPI, metrics: Metrics) -> None:
    @app.get(HEALTH_ROUTE, **openapi.HEALTH)
    async def health() -> Response:
        return Response(b'{"status":"ok"}', media_type=JSON_TYPE)

    @app.get(READY_ROUTE, **openapi.READY)
    async def ready(request: Request) -> Response:
        _service(request).require_ready()
        return Response(b'{"status":"ready"}', media_type=JSON_TYPE)

    @app.get(METRICS_ROUTE, **openapi.METRICS)
    async def metrics_text() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get(INFO_ROUTE, **openapi.INFO)
    async def info(request: Request) -> Response:
        known = _service(request).info
        usual = (TIDY_USUAL,) if is_tidy_by_default(known.model) else ()
        headers = {FEATURES_HEADER: ", ".join((*FEATURES, *usual))}
        if known.model.calibration is not None:
            headers[CALIBRATION_HEADER] = known.model.calibration.to_text()
        return Response(known.to_json(), headers=headers, media_type=JSON_TYPE)

    @app.head(VOLUME_ROUTE, **openapi.FIND_VOLUME)
    async def head_volume(digest: str, request: Request) -> Response:
        return await find_volume(_service(request), request.state.client, _noted(request, digest))

    @app.put(VOLUME_ROUTE, **openapi.TAKE_VOLUME)
    async def put_volume(digest: str, request: Request) -> Response:
        state = request.state
        return await take_volume(
            _service(request), state.client, _noted(request, digest), request.receive, state.note
        )

    @app.post(SEGMENT_ROUTE, **openapi.SEGMENT)
    async def segment(request: Request) -> Response:
        return SegmentResponse(_service(request), request.state.client)

    @app.post(RESOLVE_ROUTE, **openapi.RESOLVE)
    async def resolve(request: Request) -> Response:
        return await resolve_text(_service(request), request.receive)

    @app.post(SEARCH_ROUTE, **openapi.SEARCH)
    async def search(request: Request) -> Response:
        return await search_text(_service(request), request.receive)

    @app.get(TREE_ROUTE, **openapi.TREE)
    async def tree(request: Request) -> Response:
        return await browse_tree(_service(request), request.query_params, _known(request))

    @app.get(TEMPLATES_ROUTE, **openapi.TEMPLATES)
    async def templates(request: Request) -> Response:
        return await list_all(_service(request), "templates", request.query_params, _known(request))

    @app.get(STRUCTURES_ROUTE, **openapi.STRUCTURES)
    async def structures(request: Request) -> Response:
        return await list_all(_service(request), "structures", request.query_params, _known(request))

    @app.post(CONTOURS_ROUTE, **openapi.CONTOURS)
    async def contours(request: Request) -> Response:
        return await outline(_service(request), request.receive)

    @app.post(CORRECT_ROUTE, **openapi.CORRECT)
    async def correct(request: Request) -> Response:
        return CorrectResponse(_service(request), request.state.client)

    @app.api_route(START, methods=["GET", "HEAD"], include_in_schema=False)
    @app.api_route(FOLDER + "{name:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request, name: str = "index.html") -> Response:
        found = page_file(name, _known(request))
        if found is None:
            raise HTTPException(404)
        return found


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = error_response(
        RequestError("There is no such route.", "See docs/protocol.md."), error.status_code
    )
    response.headers.update(error.headers or {})
    return response


def _noted(request: Request, digest: str) -> str:
    request.state.note.digest = checked_digest(digest)
    return digest


def _known(request: Request) -> str | None:
    return request.headers.get("if-none-match")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
