"""A replica of the segmenter: it holds one model on one device and runs one job at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from textsegment.effort import Effort
from textsegment.errors import DeviceError
from textsegment.prompt import Prompt
from textsegment.segmenter import CancelToken, ModelInfo
from textsegment.server.engines.engine import took_too_long
from textsegment.server.engines.worker import load_segmenter, report_of
from textsegment.server.logs import use_json_logs
from textsegment.volume import Volume
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import Done, Failed, encode_frame
from textsegment.wire.volume_header import VolumeHeader


class StartError(Exception):
    """A replica cannot load its model; the text is the report of the error, JSON."""


class SegmenterReplica:
    """Runs jobs, one after the other: Serve is told to send the next one when this one has ended.

    Args:
        factory: What makes the segmenter, ``"module:name"``.
        arguments: Its keyword arguments.
        job_time_s: Longest time of a job.
        cancel_grace_s: How long a job may take to notice that it was cancelled, before this process ends.

    Raises:
        StartError: The model cannot be loaded.
    """

    def __init__(
        self, factory: str, arguments: Mapping[str, Any], job_time_s: float, cancel_grace_s: float = 30.0
    ) -> None:
        use_json_logs()
        self._job_time_s = job_time_s
        self._cancel_grace_s = cancel_grace_s
        try:
            self._segmenter = load_segmenter(factory, arguments)
        except Exception as error:  # noqa: BLE001 (the process boundary, see StartError)
            raise StartError(report_of(error).decode()) from None

    async def info(self) -> ModelInfo:
        """Say what answers."""
        return self._segmenter.info()

    async def segment(
        self,
        voxels: NDArray[Any],
        header: VolumeHeader,
        digest: str,
        prompts: tuple[Prompt, ...],
        effort: Effort,
    ) -> AsyncIterator[bytes]:
        """Run a job; cancelling the call ends it at the next patch.

        Args:
            voxels: ``[i, j, k]``, in memory that is shared with other processes: read-only.
            header: Grid and modality.
            digest: Of the volume, known from its upload.
            prompts: What to look for.
            effort: How much of the volume is computed.

        Yields:
            Encoded frames; ``DONE`` or ``ERRO`` is the last.
        """
        volume = Volume(voxels, header.geometry, header.modality, known_digest=digest)
        frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def send(frame: bytes | None) -> None:
            loop.call_soon_threadsafe(frames.put_nowait, frame)

        cancel = CancelToken()
        job = loop.run_in_executor(None, self._run, volume, prompts, effort, send, cancel)
        overtime = loop.call_later(self._job_time_s, self._end_late, send)
        try:
            while (frame := await frames.get()) is not None:
                yield frame
        finally:
            overtime.cancel()
            cancel.cancel()
            # The next job comes when this call has ended.
            _, stuck = await asyncio.wait((job,), timeout=self._cancel_grace_s)
            if stuck:
                os._exit(1)

    def _end_late(self, send: Callable[[bytes | None], None]) -> None:
        send(encode_frame(Failed(ErrorReport.from_error(took_too_long(self._job_time_s)))))
        send(None)

    def _run(
        self,
        volume: Volume,
        prompts: tuple[Prompt, ...],
        effort: Effort,
        send: Callable[[bytes | None], None],
        cancel: CancelToken,
    ) -> None:
        try:
            result = self._segmenter.segment(
                volume,
                prompts,
                effort=effort,
                on_event=lambda event: send(encode_frame(event)),
                cancel=cancel,
            )
            send(encode_frame(Done(result.provenance, result.warnings)))
        except DeviceError:
            # A device that failed stays failed in this process: Serve starts another one, and the engine
            # tries the job again as after a crash.
            os._exit(1)
        except Exception as error:  # noqa: BLE001 (the process boundary, the engine raises it again)
            send(encode_frame(Failed(ErrorReport.from_json(report_of(error)))))
        send(None)
