"""The routes for jobs: ``POST /v1/segment`` and ``POST /v1/correct``."""

from __future__ import annotations

from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.prompt import Prompt
from textsegment.server.audit import AuditNote
from textsegment.server.engines.engine import StoredRequest
from textsegment.server.http.admission import Client
from textsegment.server.http.body import read_body
from textsegment.server.http.connection import HANG_UP
from textsegment.server.http.response_stream import send_frames
from textsegment.server.jobs.job import ServerJob
from textsegment.server.service import Service
from textsegment.wire.correction_codec import CorrectionHead, max_correction_bytes, read_head
from textsegment.wire.messages import SegmentRequest


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        volume: Digest of the volume.
        prompts: Prompts, each once; at most one for a correction.
        effort: How much of the volume to compute.
        correction: Body of a correction, or nothing.
        head: Head of the correction, or None.
        tidy: Whether the masks are tidied by rules of anatomy.
        wants_estimate: Whether the client understands the frame ``ESTI``.
        wants_details: Whether the client understands cautions with codes and further statistics.
    """

    volume: str
    prompts: tuple[Prompt, ...]
    effort: Effort = WHOLE_IMAGE
    correction: bytes = b""
    head: CorrectionHead | None = None
    tidy: bool = False
    wants_estimate: bool = True
    wants_details: bool = True


class JobResponse(Response):
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
            shape = volume.header.geometry.spatial_shape
            if asked.head is not None:
                asked.head.require_inside(shape)
            service.info.model.require_known(asked.prompts, volume.header.modality)
            # Only now, since an unchecked prompt may be any text; the name of a correction stays one.
            note.structures = [prompt.text for prompt in asked.prompts]
            effort = asked.effort.within(shape)
            place = held.enter_context(service.schedule.admit(owner, self._client.address))
            work = StoredRequest(
                asked.volume,
                volume.header,
                volume.voxels,
                asked.prompts,
                effort,
                asked.correction,
                asked.tidy,
            )
            job = ServerJob(
                work,
                place,
                service.engine,
                service.metrics,
                sends_estimate=asked.wants_estimate,
                sends_details=asked.wants_details,
                calibration=service.info.model.calibration,
            )
            held.callback(lambda: setattr(note, "result", job.outcome))
            hang_up = scope["state"][HANG_UP]
            async with (
                aclosing(job.frames()) as frames,
                aclosing(service.response_buffer.run_ahead(frames, held.close, hang_up)) as ahead,
            ):
                await send_frames(ahead, receive, send)

    async def _read(self, receive: Receive) -> Asked:
        raise NotImplementedError

    async def _body(self, receive: Receive, most: int) -> bytes:
        body = bytearray()
        async for data in read_body(receive, most, self._service.settings):
            body += data
        return bytes(body)


class SegmentResponse(JobResponse):
    """Response to ``POST /v1/segment``."""

    async def _read(self, receive: Receive) -> Asked:
        limits = self._service.settings.limits
        body = await self._body(receive, limits.max_request_bytes)
        request = SegmentRequest.from_json(body, limits)
        return Asked(
            request.volume,
            request.prompts,
            request.effort,
            tidy=request.tidy,
            wants_estimate=request.wants_estimate,
            wants_details=request.wants_details,
        )


class CorrectResponse(JobResponse):
    """Response to ``POST /v1/correct``."""

    async def _read(self, receive: Receive) -> Asked:
        limits = self._service.settings.limits
        body = await self._body(receive, max_correction_bytes(limits))
        head = read_head(body, limits)
        return Asked(head.volume, head.prompts, correction=body, head=head)
