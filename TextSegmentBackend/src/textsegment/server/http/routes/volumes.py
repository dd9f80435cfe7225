"""The routes for volumes: ``HEAD`` and ``PUT /v1/volumes/{digest}``."""

from __future__ import annotations

import asyncio
import time

from starlette.responses import Response
from starlette.types import Receive

from textsegment.caution import Caution
from textsegment.errors import BusyError, TextSegmentError
from textsegment.server.audit import AuditNote
from textsegment.server.http.admission import Client
from textsegment.server.http.body import read_body
from textsegment.server.http.errors import error_response
from textsegment.server.service import Service
from textsegment.server.volumes.store import Name
from textsegment.wire.contract import NEXT_CHUNK_HEADER

_RETRY_AFTER_S = 2
# How long to wait for an interrupted upload to be put aside, and how often to check.
_WIND_UP_S, _LOOK_S = 1.0, 0.01


async def find_volume(service: Service, client: Client, digest: str) -> Response:
    """Answer whether a volume is complete (200 or 404), and how many of its chunks are stored."""
    name = (client.owner, digest)
    # Most likely that upload was just interrupted, and the client wants to resume it.
    end = time.monotonic() + _WIND_UP_S
    while service.store.is_arriving(name) and time.monotonic() < end:
        await asyncio.sleep(_LOOK_S)
    return _with_next_chunk(service, name, Response(status_code=200 if service.store.has(name) else 404))


async def take_volume(
    service: Service, client: Client, digest: str, receive: Receive, note: AuditNote
) -> Response:
    """Receive a volume, or its missing chunks.

    Raises:
        ClientGoneError: If the upload is interrupted; complete chunks are kept.
    """
    name = (client.owner, digest)
    try:
        response = Response(
            status_code=200 if service.store.has(name) else await _take(service, name, receive)
        )
    except TextSegmentError as error:
        note.result = error.code
        response = error_response(error)
    return _with_next_chunk(service, name, response)


async def _take(service: Service, name: Name, receive: Receive) -> int:
    store, settings = service.store, service.settings
    if store.uploads >= settings.max_uploads or store.uploads_of(name[0]) >= settings.max_uploads_per_key:
        raise BusyError(Caution("uploads_full"), "Try again later.", _RETRY_AFTER_S)
    with service.store.upload(name) as upload:
        async for data in read_body(receive, service.settings.limits.max_upload_bytes, service.settings):
            service.metrics.upload_bytes.inc(len(data))
            await asyncio.to_thread(upload.push, data)
        service.store.complete(name, upload)
    return 201


def _with_next_chunk(service: Service, name: Name, response: Response) -> Response:
    response.headers[NEXT_CHUNK_HEADER] = str(service.store.next_chunk(name))
    return response
