"""The application: the routes of ``docs/protocol.md`` on top of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

import textsegment
from textsegment.errors import ModalityError, TextSegmentError, UnknownStructureError
from textsegment.prompt import Prompt
from textsegment.segmenter import ModelInfo, Queued
from textsegment.server.answer import AnswerStream
from textsegment.server.body import read_body
from textsegment.server.engine import Engine, Work
from textsegment.server.gate import Client, ErrorAnswers, Gate, error_response
from textsegment.server.private_folder import PrivateFolder
from textsegment.server.schedule import Schedule, Ticket
from textsegment.server.settings import ServerSettings, default_store_folder
from textsegment.server.volumes import VolumeStore
from textsegment.vocabulary.digest import vocabulary_digest
from textsegment.vocabulary.structures import nearest_structures
from textsegment.wire.contract import (
    HEALTH_ROUTE,
    INFO_ROUTE,
    JSON_TYPE,
    NEXT_CHUNK_HEADER,
    SEGMENT_ROUTE,
    VOLUME_ROUTE,
    checked_digest,
)
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import Failed, encode_frame
from textsegment.wire.messages import SegmentRequest, ServerInfo


class Service:
    """What the routes share while the server runs."""

    def __init__(
        self, engine: Engine, settings: ServerSettings, info: ServerInfo, store: VolumeStore
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.info = info
        self.store = store
        self.schedule = Schedule(lambda: engine.slots, settings.max_queue, settings.max_queue_per_client)


def create_app(engine: Engine, settings: ServerSettings) -> FastAPI:
    """Return the application; its lifespan starts and stops the engine, and makes and removes the store.

    Args:
        engine: What computes.
        settings: Host, port and TLS are not its business.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        model = await engine.start()
        folder = PrivateFolder(settings.store_folder or default_store_folder())
        store = VolumeStore(folder, settings.limits, settings.store_bytes, settings.store_expiry_s)
        app.state.service = Service(engine, settings, _server_info(model, settings), store)
        try:
            yield
        finally:
            await engine.stop()
            folder.remove()

    app = FastAPI(
        title="TextSegment",
        version=textsegment.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(ErrorAnswers)

    @app.get(HEALTH_ROUTE)
    async def health() -> Response:
        return Response(b"{}", media_type=JSON_TYPE)

    @app.get(INFO_ROUTE)
    async def info(request: Request) -> Response:
        return Response(_service(request).info.to_json(), media_type=JSON_TYPE)

    @app.head(VOLUME_ROUTE)
    async def find_volume(digest: str, request: Request) -> Response:
        service = _service(request)
        name = (_client(request).owner, checked_digest(digest))
        status = 200 if service.store.has(name) else 404
        return Response(status_code=status, headers={NEXT_CHUNK_HEADER: str(service.store.next_chunk(name))})

    @app.put(VOLUME_ROUTE)
    async def put_volume(digest: str, request: Request) -> Response:
        return await _put_volume(_service(request), (_client(request).owner, checked_digest(digest)), request)

    @app.post(SEGMENT_ROUTE)
    async def segment(request: Request) -> Response:
        return SegmentAnswer(_service(request), _client(request))

    return app


async def _put_volume(service: Service, name: tuple[str, str], request: Request) -> Response:
    store, settings = service.store, service.settings
    try:
        status = 200
        if not store.has(name):
            with store.upload(name) as upload:
                async for data in read_body(request.receive, settings.limits.max_upload_bytes, settings):
                    await asyncio.to_thread(upload.push, data)
                store.complete(name, upload)
            status = 201
    except TextSegmentError as error:
        return error_response(error, {NEXT_CHUNK_HEADER: str(store.next_chunk(name))})
    return Response(status_code=status, headers={NEXT_CHUNK_HEADER: str(store.next_chunk(name))})


class SegmentAnswer(Response):
    """Reads the request, admits the job, and only then begins to answer."""

    def __init__(self, service: Service, client: Client) -> None:
        super().__init__()
        self._service = service
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        service, client = self._service, self._client
        limit = service.settings.limits.max_request_bytes
        body = b"".join([data async for data in read_body(receive, limit, service.settings)])
        asked = SegmentRequest.from_json(body, service.settings.limits)
        with service.store.using((client.owner, asked.volume)) as volume:
            require_known(asked.prompts, volume.header.modality, service.info.model)
            work = Work(asked.volume, volume.header, volume.voxels, asked.prompts)
            with service.schedule.admit(f"{client.owner} {client.address}") as ticket:
                async with aclosing(_job_frames(service.engine, work, ticket)) as frames:
                    await AnswerStream(receive, send, service.settings.send_timeout_s).run(frames)


async def _job_frames(engine: Engine, work: Work, ticket: Ticket) -> AsyncIterator[bytes]:
    """Yield the frames of an admitted job; the last one is DONE or ERRO."""
    try:
        async with aclosing(ticket.positions()) as positions:  # type: ignore[type-var]
            async for position in positions:
                yield encode_frame(Queued(position))
        async with aclosing(engine.run(work)) as frames:  # type: ignore[type-var]
            async for frame in frames:
                yield frame
    except TextSegmentError as error:
        yield encode_frame(Failed(ErrorReport.from_error(error)))


def require_known(prompts: tuple[Prompt, ...], modality: str, model: ModelInfo) -> None:
    """Check that the model can be asked with these prompts.

    Raises:
        ModalityError: It knows nothing in such images.
        UnknownStructureError: It does not know a prompt; with the nearest ones that it knows.
    """
    known = model.structures.get(modality)
    if not known:
        raise ModalityError(f"The model knows no structure in images of the modality {modality}.")
    for prompt in prompts:
        if prompt.text not in known:
            near = tuple(name for name in nearest_structures(prompt.text, modality) if name in known)
            raise UnknownStructureError(
                f"The model does not know {prompt.text!r} in {modality} images.", "", near
            )


def _server_info(model: ModelInfo, settings: ServerSettings) -> ServerInfo:
    return ServerInfo(textsegment.__version__, model, vocabulary_digest(), settings.limits)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _client(request: Request) -> Client:
    client: Client = request.state.client
    return client
