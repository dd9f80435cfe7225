"""Remote jobs: one segmentation request, from upload to last mask, resilient to network failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType

from textsegment.client.progress import RequestProgress
from textsegment.client.request import PreparedRequest
from textsegment.client.retry import RetryPolicy
from textsegment.client.transport import LEAST_BYTES_PER_S, Transport
from textsegment.client.upload import upload
from textsegment.errors import (
    BusyError,
    CancelledError,
    EngineLostError,
    ServerTimeoutError,
    StreamBrokenError,
    TextSegmentError,
    VolumeUnknownError,
)
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import Estimated, Event, MaskReady, Progress, Queued
from textsegment.wire.contract import JSON_TYPE, SEGMENT_ROUTE
from textsegment.wire.frames import Done, Failed, Frame, FrameDecoder
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volume_codec import wire_volume
from textsegment.wire.volume_header import Encoding

# A server that drops a volume as soon as it has it will not keep it the next time either.
_MOST_UPLOADS = 3
# Share of the progress bar given to the upload, which takes hardly any time on the same computer.
_UPLOAD_SHARE = {Encoding.RAW: 0.05, Encoding.DEFLATED: 0.3}


class RemoteJob:
    """A job that repeats its request until every mask has arrived.

    Masks that arrived before a connection broke are kept, and each is reported once.

    Args:
        request: Request to send.
        transport: Transport to the server.
        retry: Policy that decides which failures are retried.
        emit: Callback for events.
        wants_estimate: Whether to ask the server, which must support it, for an estimate of the job.
        wants_details: Whether to ask the server, which must support it, for cautions with codes and further
            statistics.
    """

    def __init__(
        self,
        request: PreparedRequest,
        transport: Transport,
        retry: RetryPolicy,
        emit: Callable[[Event], None],
        *,
        wants_estimate: bool = False,
        wants_details: bool = False,
    ) -> None:
        self._request = request
        self._transport = transport
        self._retry = retry
        self._emit = emit
        self._wants_estimate = wants_estimate
        self._wants_details = wants_details
        self._progress = RequestProgress(emit, _UPLOAD_SHARE[request.encoding])
        self._masks: dict[str, StructureMask] = {}

    def run(self) -> Segmentation:
        """Run the job and return the masks in the order of the prompts.

        Raises:
            TextSegmentError: The failure is permanent or persisted through all retries.
        """
        uploads = 0
        while True:
            try:
                return self._result(self._ask())
            except VolumeUnknownError:
                uploads += 1
                if uploads > _MOST_UPLOADS:
                    raise
                self._upload()
            except TextSegmentError as error:
                if isinstance(error, BusyError):
                    self._progress.report(0.0, "waiting")
                self._retry.wait_or_raise(error)

    def _upload(self) -> None:
        self._retry.reached()
        self._progress.begin_upload()
        request = self._request
        upload(
            self._transport,
            wire_volume(request.volume),
            request.identity.digest,
            request.encoding,
            self._retry,
            self._progress.uploaded,
        )

    def _ask(self) -> Done:
        """Request the missing masks once, and process the response."""
        # If all masks have arrived, only the last frame is missing: one prompt is requested again to get it.
        wanted = self._request.prompts
        prompts = tuple(p for p in wanted if p.text not in self._masks) or wanted[:1]
        request = SegmentRequest(
            self._request.identity.digest,
            prompts,
            self._request.request.effort,
            self._wants_estimate,
            self._wants_details,
        ).to_json()
        decoder = FrameDecoder(self._request.volume.geometry.spatial_shape)
        missing = {prompt.text for prompt in prompts}
        done = None
        with self._transport.ask("POST", SEGMENT_ROUTE, body=request, media_type=JSON_TYPE) as answer:
            self._retry.reached()
            end = time.monotonic() + self._transport.silence_s
            for piece in answer.pieces():
                is_frame = False
                for frame in decoder.push(piece):
                    is_frame = True
                    if isinstance(frame, Done):
                        done = frame
                    else:
                        self._take(frame, missing)
                if is_frame:
                    end = time.monotonic() + self._transport.silence_s
                end += len(piece) / LEAST_BYTES_PER_S
                if time.monotonic() > end:
                    raise ServerTimeoutError("The answer comes in too slowly.", "Check the network.")
            decoder.finish()
        if done is None or missing:
            raise StreamBrokenError("The answer of the server lacks masks.", "Ask again.")
        return done

    def _take(self, frame: Frame, missing: set[str]) -> None:
        if isinstance(frame, Queued | Estimated):
            self._emit(frame)
        elif isinstance(frame, Progress):
            if self._progress.computed(frame):
                self._retry.progressed()
        elif isinstance(frame, MaskReady):
            self._take_mask(frame, missing)
        elif isinstance(frame, Failed):
            error = frame.report.to_error()
            if isinstance(error, CancelledError):  # cancelled by the server, not by us
                raise EngineLostError("The server gave the job up.", "Ask again.")
            raise error

    def _take_mask(self, frame: MaskReady, missing: set[str]) -> None:
        structure = frame.mask.structure
        if structure not in missing:
            raise StreamBrokenError("The answer holds a mask twice, or one that nobody asked for.")
        missing.remove(structure)
        if structure not in self._masks:
            self._masks[structure] = frame.mask
            self._retry.progressed()
            self._emit(frame)

    def _result(self, done: Done) -> Segmentation:
        return Segmentation(
            geometry=self._request.volume.geometry,
            masks=tuple(self._masks[prompt.text] for prompt in self._request.prompts),
            provenance=MappingProxyType(dict(done.provenance)),
            warnings=tuple(dict.fromkeys((*self._request.request.warnings, *done.warnings))),
        )
