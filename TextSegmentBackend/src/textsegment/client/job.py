"""Remote jobs: one request, from upload to last mask, resilient to network failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType

from textsegment.client.progress import RequestProgress
from textsegment.client.request import PreparedCorrection, PreparedRequest
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
from textsegment.wire.frames import Done, Failed, Frame, FrameDecoder
from textsegment.wire.volumes.codec import wire_volume
from textsegment.wire.volumes.header import Encoding

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
        request: PreparedRequest | PreparedCorrection,
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
        """Run the job and return the masks in the order in which they were asked for.

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
        # If all masks have arrived, only the last frame is missing: one is requested again to get it.
        wanted = self._request.wanted
        asked = tuple(name for name in wanted if name not in self._masks) or wanted[:1]
        decoder = FrameDecoder(self._request.volume.geometry.spatial_shape)
        missing = set(asked)
        done = None
        route, media_type = self._request.route
        body = self._request.body(asked, estimate=self._wants_estimate, details=self._wants_details)
        with self._transport.ask("POST", route, body=body, media_type=media_type) as answer:
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
            mask = self._request.received(frame.mask)
            self._masks[structure] = mask
            self._retry.progressed()
            self._emit(MaskReady(mask))

    def _result(self, done: Done) -> Segmentation:
        return Segmentation(
            geometry=self._request.volume.geometry,
            masks=tuple(self._masks[name] for name in self._request.wanted),
            provenance=MappingProxyType(dict(done.provenance)),
            warnings=tuple(dict.fromkeys((*self._request.warnings, *done.warnings))),
        )
