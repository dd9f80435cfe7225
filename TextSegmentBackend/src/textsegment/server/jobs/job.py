"""A job from its admission to its end: its frames, metrics and log line."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from textsegment.doubt import Calibration
from textsegment.errors import TextSegmentError
from textsegment.segmenter import Queued
from textsegment.server.engines.engine import Engine, StoredRequest
from textsegment.server.jobs.schedule import QueuePlace
from textsegment.server.logs import log
from textsegment.server.metrics import Metrics
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import Failed, FrameKind, encode_frame, judged, split_frame, without_details


class ServerJob:
    """Runs one admitted job.

    Args:
        work: Request to carry out.
        place: Queue place of the job.
        engine: Engine that runs the job.
        metrics: Metrics in which the job is counted.
        sends_estimate: Whether the client understands the frame ``ESTI``.
        sends_details: Whether the client understands cautions with codes and further statistics.
        calibration: Calibration of the weights, by which masks are judged; None if they have none.
    """

    def __init__(
        self,
        work: StoredRequest,
        place: QueuePlace,
        engine: Engine,
        metrics: Metrics,
        *,
        sends_estimate: bool = False,
        sends_details: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        self._work = work
        self._place = place
        self._engine = engine
        self._metrics = metrics
        self._sends_estimate = sends_estimate
        self._sends_details = sends_details
        self._calibration = calibration
        self._outcome = "cancelled"
        self._masks = 0
        self._began = time.monotonic()
        self._seconds: dict[str, float] = {}

    @property
    def outcome(self) -> str:
        """How the job ended: ``done``, ``cancelled``, or an error code."""
        return self._outcome

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield encoded frames; the last one is DONE or ERRO. Closing the iterator cancels the job."""
        try:
            async with aclosing(self._all_frames()) as frames:
                async for frame in frames:
                    yield frame
        except TextSegmentError as error:
            self._outcome = error.code
            yield self._for_client(encode_frame(Failed(ErrorReport.from_error(error))))
        except Exception:
            self._outcome = "internal"
            raise
        finally:
            self._write_down()

    async def _all_frames(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._place.positions()) as positions:
            async for position in positions:
                yield encode_frame(Queued(position))
        self._note("waiting")
        async with aclosing(self._engine.run(self._work)) as frames:
            async for frame in frames:
                kind, _ = split_frame(frame)
                if kind is FrameKind.ESTIMATE and not self._sends_estimate:
                    continue
                if kind is FrameKind.MASK:
                    self._masks += 1
                    self._note("first_mask")
                elif kind is FrameKind.DONE:
                    self._outcome = "done"
                yield self._for_client(frame)
        self._note("computing")

    def _for_client(self, frame: bytes) -> bytes:
        if not self._sends_details:
            return without_details(frame)
        # A corrected mask is a person's work, on which there is no verdict.
        return frame if self._work.correction else judged(frame, self._calibration)

    def _note(self, stage: str) -> None:
        """Record the seconds since the job began to wait or, after that, to compute."""
        self._seconds.setdefault(stage, time.monotonic() - self._began)
        if stage == "waiting":
            self._began = time.monotonic()

    def _write_down(self) -> None:
        self._metrics.jobs.labels(self._outcome).inc()
        self._metrics.masks.inc(self._masks)
        for stage, seconds in self._seconds.items():
            self._metrics.seconds.labels(stage).observe(seconds)
        log(
            "job",
            outcome=self._outcome,
            prompts=len(self._work.prompts),
            masks=self._masks,
            seconds={stage: round(seconds, 3) for stage, seconds in self._seconds.items()},
        )
