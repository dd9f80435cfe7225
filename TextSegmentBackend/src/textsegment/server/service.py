"""The state that all routes share while the server runs."""

from __future__ import annotations

import asyncio

import textsegment
from textsegment.errors import EngineLostError
from textsegment.segmenter import ModelInfo
from textsegment.server.engines.engine import Engine
from textsegment.server.jobs.response_buffer import ResponseBuffer
from textsegment.server.jobs.schedule import Schedule
from textsegment.server.metrics import Metrics
from textsegment.server.settings import ServerSettings
from textsegment.server.volumes.private_folder import PrivateFolder
from textsegment.server.volumes.store import VolumeStore
from textsegment.vocabulary.digest import vocabulary_digest
from textsegment.wire.messages import ServerInfo

_EXPIRY_CHECK_S = 30.0
_TEXTS_AT_ONCE = 2


class Service:
    """Engine, queue and store of a running server.

    Args:
        engine: Engine that has been started.
        model: Description of its model.
        settings: Settings of the server.
        folder: Private folder for volumes.
        metrics: Metrics to which those of queue and store are added.

    Attributes:
        info: Description of the server for clients.
        schedule: Queue of jobs.
        response_buffer: Frames that wait for slow readers.
        readers: Bounds how many texts are resolved at once, beside the event loop.
        outliners: Bounds how many masks are outlined at once, beside the event loop.
        store: Store of uploaded volumes.
    """

    def __init__(
        self,
        engine: Engine,
        model: ModelInfo,
        settings: ServerSettings,
        folder: PrivateFolder,
        metrics: Metrics,
    ) -> None:
        self.engine = engine
        self._folder = folder
        self.settings = settings
        self.metrics = metrics
        self.info = ServerInfo(textsegment.__version__, model, vocabulary_digest(), settings.limits)
        self.schedule = Schedule(
            lambda: engine.slots,
            settings.max_queue,
            settings.max_queue_per_client,
            settings.max_queue_per_key,
        )
        self.response_buffer = ResponseBuffer(settings.send_timeout_s)
        self.readers = asyncio.Semaphore(_TEXTS_AT_ONCE)
        self.outliners = asyncio.Semaphore(1)
        self.store = VolumeStore(folder, settings.limits, settings.store_bytes, settings.store_expiry_s)
        metrics.watch("jobs_running", "Jobs that compute", lambda: self.schedule.running)
        metrics.watch("jobs_waiting", "Jobs that wait", lambda: self.schedule.waiting)
        metrics.watch("engine_ready", "Whether a job would be computed now", lambda: float(engine.is_ready))
        metrics.watch("store_bytes", "Bytes of stored volumes", lambda: self.store.bytes)

    async def expire_volumes(self) -> None:
        """Drop expired volumes at regular intervals; runs until cancelled."""
        while True:
            await asyncio.sleep(min(self.settings.store_expiry_s / 4, _EXPIRY_CHECK_S))
            self._folder.keep()
            self.store.expire()

    def require_ready(self) -> None:
        """Check that a job would be computed now.

        Raises:
            EngineLostError: If the engine is starting or hangs, or the server is stopping.
            StorageError: If volumes cannot be stored.
        """
        if not self.schedule.is_open:
            raise EngineLostError("The server is stopping.", "Ask another one.")
        if not self.engine.is_ready:
            raise EngineLostError("The engine is starting, or hangs.", "Ask again later.")
        self._folder.require_usable()

    async def stop(self) -> None:
        """Turn waiting jobs away, give running ones the grace period, then stop the engine."""
        self.schedule.stop()
        end = asyncio.get_running_loop().time() + self.settings.stop_grace_s
        while self.schedule.running and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        await self.engine.stop()
