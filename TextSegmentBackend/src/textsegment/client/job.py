"""One request to segment, from the first byte to the last mask, whatever the network does."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from textsegment.client.meter import Meter
from textsegment.client.order import Order
from textsegment.client.patience import Patience
from textsegment.client.transport import Transport
from textsegment.client.upload import upload
from textsegment.errors import (
    BusyError,
    CancelledError,
    EngineLostError,
    StreamBrokenError,
    TextSegmentError,
    VolumeUnknownError,
)
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import Event, MaskReady, Progress, Queued
from textsegment.wire.contract import JSON_TYPE, SEGMENT_ROUTE
from textsegment.wire.frames import Done, Failed, Frame, FrameDecoder
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volume_codec import wire_volume
from textsegment.wire.volume_header import Encoding

# A server that forgets a volume as soon as it has it will not keep it the next time either.
_MOST_UPLOADS = 3
# What an upload is to the progress bar: next to nothing on this computer.
_UPLOAD_SHARE = {Encoding.RAW: 0.05, Encoding.DEFLATED: 0.3}


class Job:
    """Asks until every mask is there; masks that came before a break are kept and reported once.

    Args:
        order: What is wanted.
        transport: To the server.
        patience: Decides about failures.
        emit: Takes events.
    """

    def __init__(
        self, order: Order, transport: Transport, patience: Patience, emit: Callable[[Event], None]
    ) -> None:
        self._order = order
        self._transport = transport
        self._patience = patience
        self._emit = emit
        self._meter = Meter(emit, _UPLOAD_SHARE[order.encoding])
        self._masks: dict[str, StructureMask] = {}

    def run(self) -> Segmentation:
        """Return the masks in the order asked.

        Raises:
            TextSegmentError: A failure that does not pass.
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
                    self._meter.report(0.0, "waiting")
                self._patience.endure(error)

    def _upload(self) -> None:
        self._patience.reached()
        self._meter.begin_upload()
        order = self._order
        upload(
            self._transport,
            wire_volume(order.volume),
            order.identity.digest,
            order.encoding,
            self._patience,
            self._meter.uploaded,
        )

    def _ask(self) -> Done:
        """Ask once for what is missing, and take what comes."""
        # With all masks here, the last frame is missing: one prompt is asked again to get it.
        wanted = self._order.prompts
        prompts = tuple(p for p in wanted if p.text not in self._masks) or wanted[:1]
        request = SegmentRequest(self._order.identity.digest, prompts).to_json()
        decoder = FrameDecoder(self._order.volume.geometry.spatial_shape)
        missing = {prompt.text for prompt in prompts}
        done = None
        with self._transport.ask("POST", SEGMENT_ROUTE, body=request, media_type=JSON_TYPE) as answer:
            self._patience.reached()
            for piece in answer.pieces():
                for frame in decoder.push(piece):
                    if isinstance(frame, Done):
                        done = frame
                    else:
                        self._take(frame, missing)
            decoder.finish()
        if done is None or missing:
            raise StreamBrokenError("The answer of the server lacks masks.", "Ask again.")
        return done

    def _take(self, frame: Frame, missing: set[str]) -> None:
        if isinstance(frame, Queued):
            self._emit(frame)
        elif isinstance(frame, Progress):
            if self._meter.computed(frame):
                self._patience.progressed()
        elif isinstance(frame, MaskReady):
            self._take_mask(frame, missing)
        elif isinstance(frame, Failed):
            error = frame.report.to_error()
            if isinstance(error, CancelledError):  # not by us
                raise EngineLostError("The server gave the job up.", "Ask again.")
            raise error

    def _take_mask(self, frame: MaskReady, missing: set[str]) -> None:
        structure = frame.mask.structure
        if structure not in missing:
            raise StreamBrokenError("The answer holds a mask twice, or one that nobody asked for.")
        missing.remove(structure)
        if structure not in self._masks:
            self._masks[structure] = frame.mask
            self._patience.progressed()
            self._emit(frame)

    def _result(self, done: Done) -> Segmentation:
        return Segmentation(
            geometry=self._order.volume.geometry,
            masks=tuple(self._masks[prompt.text] for prompt in self._order.prompts),
            provenance=MappingProxyType(dict(done.provenance)),
            warnings=tuple(dict.fromkeys((*self._order.warnings, *done.warnings))),
        )
