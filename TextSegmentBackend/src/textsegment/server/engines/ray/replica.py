"""A replica of the segmenter, which holds one model on one device and runs one job at a time."""

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
from textsegment.server.engines.computation import compute
from textsegment.server.engines.engine import took_too_long
from textsegment.server.engines.worker import load_segmenter, report_of
from textsegment.server.logs import use_json_logs
from textsegment.volume import Volume
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import Failed, encode_frame
from textsegment.wire.volumes.header import VolumeHeader


class StartError(Exception):
    """Raised if a replica cannot load its model; the message is the error report as JSON."""


class SegmenterReplica:
    """Runs jobs one after another; the deployment allows one request at a time.

    Args:
        factory: Factory of the segmenter, as ``"module:name"``.
        arguments: Keyword arguments of the segmenter.
        job_time_s: Time limit of a job.
        cancel_grace_s: Time a cancelled job has to stop before this process exits.

    Raises:
        StartError: If the model cannot be loaded.
    """

    def __init__(
        self, factory: str, arguments: Mapping[str, Any], job_time_s: float, cancel_grace_s: float = 30.0
    ) -> None:
        use_json_logs()
        self._job_time_s = job_time_s
        self._cancel_grace_s = cancel_grace_s
        try:
            self._segmenter = load_segmenter(factory, arguments)
        except Exception as error:  # noqa: BLE001 (the process boundary; see StartError)
            raise StartError(report_of(error).decode()) from None

    async def info(self) -> ModelInfo:
        """Return the description of the model."""
        return self._segmenter.info()

    async def segment(
        self,
        voxels: NDArray[Any],
        header: VolumeHeader,
        digest: str,
        prompts: tuple[Prompt, ...],
        effort: Effort,
        correction: bytes,
        tidy: bool,
    ) -> AsyncIterator[bytes]:
        """Run a job and stream its frames; cancelling the call stops the job at the next patch.

        Args:
            voxels: Voxels ``[i, j, k]``, read-only because their memory is shared with other processes.
            header: Grid and modality of the volume.
            digest: Digest of the volume, known from its upload.
            prompts: Prompts, each once.
            effort: How much of the volume to compute.
            correction: Body of ``POST /v1/correct``; empty if the prompts are to be segmented.
            tidy: Whether the masks are tidied by rules of anatomy.

        Yields:
            Encoded frames, the last of which is ``DONE`` or ``ERRO``.
        """
        volume = Volume(voxels, header.geometry, header.modality, known_digest=digest)
        frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def send(frame: bytes | None) -> None:
            loop.call_soon_threadsafe(frames.put_nowait, frame)

        cancel = CancelToken()
        job = loop.run_in_executor(None, self._run, volume, prompts, effort, correction, tidy, send, cancel)
        overtime = loop.call_later(self._job_time_s, self._end_late, send)
        try:
            while (frame := await frames.get()) is not None:
                yield frame
        finally:
            overtime.cancel()
            cancel.cancel()
            # The next job arrives as soon as this call has ended.
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
        correction: bytes,
        tidy: bool,
        send: Callable[[bytes | None], None],
        cancel: CancelToken,
    ) -> None:
        try:
            send(
                encode_frame(
                    compute(
                        self._segmenter,
                        volume,
                        prompts,
                        effort,
                        correction,
                        tidy,
                        lambda event: send(encode_frame(event)),
                        cancel,
                    )
                )
            )
        except DeviceError:
            # A failed device stays failed in this process. Serve starts another one, and the engine repeats
            # the job as after a crash.
            os._exit(1)
        except Exception as error:  # noqa: BLE001 (the process boundary; the engine raises it again)
            send(encode_frame(Failed(ErrorReport.from_json(report_of(error)))))
        send(None)
