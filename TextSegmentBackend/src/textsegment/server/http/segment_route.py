"""The route for jobs: ``POST /v1/segment``."""

from __future__ import annotations

from contextlib import ExitStack, aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from textsegment.server.audit import AuditNote
from textsegment.server.engines.engine import StoredRequest
from textsegment.server.http.admission import Client
from textsegment.server.http.body import read_body
from textsegment.server.http.connection import HANG_UP
from textsegment.server.http.response_stream import send_frames
from textsegment.server.jobs.job import ServerJob
from textsegment.server.service import Service
from textsegment.wire.messages import SegmentRequest


class SegmentResponse(Response):
    """Response that reads the request and admits the job before it begins to answer.

    The volume and the queue place are released as soon as the engine is done, however much the client has
    read by then, or when the job ends in any other way.
    """

    def __init__(self, service: Service, client: Client) -> None:
        super().__init__()
        self._service = service
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response.

        Raises:
            TextSegmentError: If the job cannot be admitted; the response has not begun then.
            ClientGoneError: If the client closes the connection.
        """
        service, owner = self._service, self._client.owner
        asked = await self._read(receive)
        note: AuditNote = scope["state"]["note"]
        note.digest = asked.volume
        with ExitStack() as held:
            volume = held.enter_context(service.store.using((owner, asked.volume)))
            service.info.model.require_known(asked.prompts, volume.header.modality)
            # Only now, since an unchecked prompt may be any text.
            note.structures = [prompt.text for prompt in asked.prompts]
            effort = asked.effort.within(volume.header.geometry.spatial_shape)
            place = held.enter_context(service.schedule.admit(owner, self._client.address))
            work = StoredRequest(asked.volume, volume.header, volume.voxels, asked.prompts, effort)
            job = ServerJob(
                work,
                place,
                service.engine,
                service.metrics,
                sends_estimate=asked.wants_estimate,
                sends_details=asked.wants_details,
            )
            held.callback(lambda: setattr(note, "result", job.outcome))
            hang_up = scope["state"][HANG_UP]
            async with (
                aclosing(job.frames()) as frames,
                aclosing(service.response_buffer.run_ahead(frames, held.close, hang_up)) as ahead,
            ):
                await send_frames(ahead, receive, send)

    async def _read(self, receive: Receive) -> SegmentRequest:
        limits = self._service.settings.limits
        body = bytearray()
        async for data in read_body(receive, limits.max_request_bytes, self._service.settings):
            body += data
        return SegmentRequest.from_json(bytes(body), limits)
