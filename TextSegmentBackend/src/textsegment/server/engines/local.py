"""The engine on this computer: one worker process per device."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from textsegment.errors import DeviceError, EngineLostError, SettingsError, TextSegmentError
from textsegment.segmenter import ModelInfo
from textsegment.server.engines.engine import StoredRequest
from textsegment.server.engines.worker_process import WorkerProcess
from textsegment.server.jobs.resume import resumed

LOCAL_SEGMENTER = "textsegment.inference.engine:LocalSegmenter"


class LocalEngine:
    """Engine of worker processes; see ``Engine``.

    A crash of a worker costs one job; a job on a failing device is tried once more.

    Args:
        arguments: Keyword arguments of the segmenter, one mapping for each worker.
        factory: Factory of the segmenter, as ``"module:name"``.
        job_time_s: Time limit of a job.
        cancel_grace_s: Time a cancelled job has to stop before its worker is killed.
        silence_s: Time without any message, even about progress, after which a worker is killed as hung.
        ping_s: Interval at which idle workers are pinged, and the time they have to answer.

    Raises:
        SettingsError: If a time limit is not a positive, finite number.
    """

    def __init__(
        self,
        arguments: Sequence[Mapping[str, Any]],
        factory: str = LOCAL_SEGMENTER,
        *,
        job_time_s: float = 3600.0,
        cancel_grace_s: float = 30.0,
        silence_s: float = 600.0,
        ping_s: float = 15.0,
    ) -> None:
        if not 0 < job_time_s < math.inf:
            raise SettingsError("The longest time of a job is a number of seconds above 0.")
        if not 0 < silence_s < math.inf:
            raise SettingsError("The longest silence of a job is a number of seconds above 0.")
        self._workers = [WorkerProcess(factory, a, job_time_s, cancel_grace_s, silence_s) for a in arguments]
        self._ping_s = ping_s
        self._idle: list[WorkerProcess] = []
        self._has_stopped = False
        self._changed = asyncio.Condition()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def slots(self) -> int:
        """Number of jobs that can run at once: one per worker."""
        return len(self._workers)

    @property
    def is_ready(self) -> bool:
        """Whether any worker is ready; see ``Engine.is_ready``."""
        return any(worker.is_ready for worker in self._workers)

    async def start(self) -> ModelInfo:
        """Load the model in every worker; see ``Engine.start``."""
        try:
            infos = await asyncio.gather(*(worker.start() for worker in self._workers))
        except BaseException:
            await self.stop()
            raise
        self._idle = list(self._workers)
        self._spawn(self._watch())
        return infos[0]

    async def stop(self) -> None:
        """Stop all workers; see ``Engine.stop``."""
        async with self._changed:
            self._has_stopped = True
            self._changed.notify_all()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for worker in self._workers:
            worker.kill()
        await asyncio.gather(*(worker.buried() for worker in self._workers))

    def run(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        """Run a job, preferably on the worker that last had its volume; see ``Engine.run``."""
        return resumed(self._attempt, work, retry_on=(DeviceError,))

    async def _attempt(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        worker = await self._take(work.digest)
        try:
            if not worker.is_alive:
                await worker.start()
            async with aclosing(worker.run(work)) as frames:
                async for frame in frames:
                    yield frame
        finally:
            # Shielded, so that cancelling a job does not cancel the return of its worker.
            settled = asyncio.create_task(worker.settle())
            settled.add_done_callback(lambda _: self._spawn(self._give_back(worker)))
            await asyncio.shield(settled)

    async def _watch(self) -> None:
        """Restart idle workers that have died or hang; runs until cancelled."""
        while True:
            await asyncio.sleep(self._ping_s)
            for worker in list(self._idle):
                if worker in self._idle:  # it may have been given a job in the meantime
                    self._idle.remove(worker)
                    if worker.is_alive:
                        await worker.answers(self._ping_s)
                    await self._give_back(worker)

    async def _take(self, digest: str) -> WorkerProcess:
        async with self._changed:
            await self._changed.wait_for(lambda: self._idle or self._has_stopped)
            if self._has_stopped:
                raise EngineLostError("The server is stopping.", "Ask again later.")
            worker = next((w for w in self._idle if w.last_digest == digest), self._idle[0])
            self._idle.remove(worker)
            return worker

    async def _give_back(self, worker: WorkerProcess) -> None:
        if not worker.is_alive and not self._has_stopped:
            with suppress(TextSegmentError):  # the next job tries again and reports the reason
                await worker.start()
        async with self._changed:
            self._idle.append(worker)
            self._changed.notify()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
