"""The parent's side of a worker: its process, and the pipe to it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import multiprocessing
import signal
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from textsegment.doubt import Calibration
from textsegment.errors import DeviceError, EngineLostError, TextSegmentError
from textsegment.segmenter import ModelInfo
from textsegment.server.engines.engine import StoredRequest, took_too_long
from textsegment.server.engines.worker import END, FRAME, PONG, worker_main
from textsegment.server.logs import log
from textsegment.wire.failures import ErrorReport
from textsegment.wire.messages import effort_fields
from textsegment.wire.volumes.header import Encoding

_START_S = 600.0
# After a silence this long the job may still finish, but further jobs had better go elsewhere.
_DOUBTFUL_S = 120.0


class WorkerProcess:
    """Child process with its own segmenter, which can be restarted after it has died.

    Args:
        factory: Factory of the segmenter; see ``worker.load_segmenter``.
        arguments: Keyword arguments of the segmenter; see ``worker.load_segmenter``.
        job_time_s: Time limit of a job.
        cancel_grace_s: Time a cancelled job has to stop before the child is killed.
        silence_s: Time without any message from a job, even about progress, after which the child counts as
            hung.

    Attributes:
        last_digest: Digest of the volume of the last job, whose features the child may still hold.
    """

    def __init__(
        self,
        factory: str,
        arguments: Mapping[str, Any],
        job_time_s: float,
        cancel_grace_s: float,
        silence_s: float,
    ) -> None:
        self.last_digest = ""
        self._factory = factory
        self._arguments = dict(arguments)
        self._job_time_s = job_time_s
        self._cancel_grace_s = cancel_grace_s
        self._silence_s = silence_s
        self._is_loaded = False
        self._heard_at = 0.0
        self._process: Any = None
        self._pipe: Connection | None = None
        self._pending: asyncio.Future[bytes] | None = None
        self._burial: asyncio.Future[None] | None = None
        self._in_job = False

    @property
    def is_alive(self) -> bool:
        """Whether the child process is running."""
        return self._process is not None and self._process.is_alive()

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded and the current job, if any, has reported progress recently."""
        silent_s = time.monotonic() - self._heard_at if self._in_job else 0.0
        return self._is_loaded and self.is_alive and silent_s < min(_DOUBTFUL_S, self._silence_s / 2)

    @property
    def pid(self) -> int | None:
        """Process ID of the child, or None without one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> ModelInfo:
        """Start or restart the child, and wait until its model is loaded.

        Raises:
            TextSegmentError: If the model cannot be loaded.
            EngineLostError: If the child dies in the meantime or takes too long.
        """
        self.kill()
        await self.buried()  # until then the old child holds the memory of its device
        context = multiprocessing.get_context("spawn")
        self._pipe, child = context.Pipe()
        process = context.Process(
            target=worker_main, args=(child, self._factory, self._arguments), daemon=True
        )
        with _interrupts_blocked():
            process.start()
        child.close()  # otherwise the pipe would not close when the child exits
        self._reader = ThreadPoolExecutor(1, "worker-pipe")
        self._process = process
        try:
            kind, payload = await self._receive(_START_S)
            if kind == END:
                raise ErrorReport.from_json(payload).to_error()
        except asyncio.TimeoutError:
            raise EngineLostError("The engine took too long to start.") from None
        except BaseException:
            self.kill()
            raise
        fields = json.loads(payload)
        self._is_loaded = True
        fields["structures"] = {m: tuple(names) for m, names in fields["structures"].items()}
        if fields["calibration"] is not None:
            fields["calibration"] = Calibration(**fields["calibration"])
        return ModelInfo(**fields)

    async def run(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        """Run a job; see ``Engine.run``. However it ends, ``settle`` must be called afterwards."""
        self._in_job = True
        self.last_digest = work.digest
        loop = asyncio.get_running_loop()
        end = loop.time() + self._job_time_s
        self._send(
            {
                "header": work.header.to_bytes(Encoding.RAW, 0).hex(),
                "digest": work.digest,
                "voxels": str(work.voxels),
                "prompts": [prompt.text for prompt in work.prompts],
                "correction": base64.b64encode(work.correction).decode("ascii"),
                "tidy": work.tidy,
            }
            | effort_fields(work.effort)
        )
        while True:
            self._heard_at = time.monotonic()
            try:
                kind, payload = await self._receive(min(end - loop.time(), self._silence_s))
            except asyncio.TimeoutError:
                self.kill()
                if loop.time() >= end:
                    raise took_too_long(self._job_time_s) from None
                log("engine_hung", level=logging.ERROR, was="computing")
                raise EngineLostError("The engine hung.", "Ask again: it is being started anew.") from None
            if kind == FRAME:
                yield payload
                continue
            self._in_job = False
            if payload:
                raise self._failure(payload)
            return

    async def settle(self) -> None:
        """Get ready for the next job: cancel a running one, and kill the child if that fails."""
        if not self._in_job:
            return
        try:
            self._send({"cancel": True})
            await asyncio.wait_for(self._drain(), self._cancel_grace_s)
        except (asyncio.TimeoutError, EngineLostError):
            self.kill()
        self._in_job = False

    async def answers(self, timeout_s: float) -> bool:
        """Return whether an idle child answers a ping within ``timeout_s`` seconds; kill it if not."""
        try:
            self._send({"ping": True})
            kind, _ = await self._receive(timeout_s)
        except (asyncio.TimeoutError, EngineLostError):
            log("engine_hung", level=logging.ERROR, was="idle")
            self.kill()
            return False
        return kind == PONG

    def kill(self) -> None:
        """Kill the child, if there is one."""
        if self._process is None:
            return
        assert self._pipe is not None
        self._process.kill()
        # In a thread, because with a GPU the exit may take seconds.
        self._burial = asyncio.get_running_loop().run_in_executor(
            None, _bury, self._process, self._reader, self._pipe
        )
        self._process = None
        self._in_job = self._is_loaded = False
        if self._pending is not None:
            self._pending.add_done_callback(_ignore)
            self._pending = None

    async def buried(self) -> None:
        """Wait until a killed child has exited."""
        if self._burial is not None:
            await asyncio.shield(self._burial)

    async def _drain(self) -> None:
        while (await self._receive())[0] != END:
            pass

    async def _receive(self, timeout_s: float | None = None) -> tuple[bytes, bytes]:
        """Return kind and payload of the next message; a wait that timed out is resumed by the next call.

        Raises:
            asyncio.TimeoutError: If no message arrives in time.
            EngineLostError: If the child has died.
        """
        assert self._pipe is not None
        if self._pending is None:
            self._pending = asyncio.get_running_loop().run_in_executor(self._reader, self._pipe.recv_bytes)
        pending = self._pending
        # Not wait_for, which before Python 3.12 swallows a cancellation that coincides with the result.
        done, _ = await asyncio.wait((pending,), timeout=timeout_s)
        if not done:
            raise asyncio.TimeoutError
        try:
            message = pending.result()
        except (EOFError, OSError):
            self.kill()
            raise EngineLostError("The engine died.", "Ask again: it is being started anew.") from None
        self._pending = None
        return message[:1], message[1:]

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(json.dumps(message).encode())
        except OSError:
            self.kill()
            raise EngineLostError("The engine died.", "Ask again: it is being started anew.") from None

    def _failure(self, payload: bytes) -> TextSegmentError:
        error = ErrorReport.from_json(payload).to_error()
        if isinstance(error, DeviceError):
            self.kill()  # a failed device stays failed for that process
        return error


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT for a child started in the block; one meant for us is delivered afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it inside would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _bury(process: Any, reader: ThreadPoolExecutor, pipe: Connection) -> None:
    process.join()
    reader.shutdown()
    pipe.close()


def _ignore(future: asyncio.Future[bytes]) -> None:
    if not future.cancelled():
        future.exception()
