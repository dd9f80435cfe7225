"""An engine that starts its own Ray, for ``textsegment serve --ray``, or connects to a running one."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from textsegment import own_ray
from textsegment.segmenter import ModelInfo
from textsegment.server.engines.engine import StoredRequest
from textsegment.server.engines.local import LOCAL_SEGMENTER
from textsegment.server.engines.ray.settings import ReplicaSettings
from textsegment.server.volumes.private_folder import PrivateFolder

if TYPE_CHECKING:
    from textsegment.server.engines.ray.engine import RayEngine

_APPLICATION = "textsegment"


class ClusterEngine:
    """Engine of replicas on Ray Serve, which are started and stopped with the server; see ``Engine``.

    If the environment variable ``RAY_ADDRESS`` is set, they run on that cluster. Otherwise a Ray of our own
    is started that is reachable from this computer only, with its own secret and folder, and is removed
    completely at the end. Ray must not have been imported before.

    Args:
        replicas: Number and resources of the replicas.
        arguments: Keyword arguments of the segmenter.
        factory: Factory of the segmenter, as ``"module:name"``.
    """

    def __init__(
        self, replicas: ReplicaSettings, arguments: Mapping[str, Any], factory: str = LOCAL_SEGMENTER
    ) -> None:
        self._replicas = replicas
        self._arguments = arguments
        self._factory = factory
        self._folder: PrivateFolder | None = None
        self._engine: RayEngine | None = None
        self._lock = threading.Lock()

    @property
    def slots(self) -> int:
        """Number of jobs that are given to Ray at once."""
        return self._replicas.most

    @property
    def is_ready(self) -> bool:
        """Whether a job would be computed soon; see ``RayEngine.is_ready``."""
        return self._engine is not None and self._engine.is_ready

    async def start(self) -> ModelInfo:
        """Start Ray and the replicas; see ``Engine.start``."""
        try:
            await asyncio.to_thread(self._start_ray)
            own_ray.restore_signals()
            from textsegment.server.engines.ray.deployment import replicas_of, require_gpus, run_replicas
            from textsegment.server.engines.ray.engine import RayEngine

            if self._folder is not None:
                require_gpus(self._replicas, self._arguments.get("device"))
            replicas = replicas_of(self._replicas, self._arguments, self._factory)
            handle = await run_replicas(replicas, _APPLICATION)
            self._engine = RayEngine(handle, self._replicas.most)
            return await self._engine.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the replicas, and Ray too if it is our own; see ``Engine.stop``."""
        await asyncio.to_thread(self._stop_ray)

    def run(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        """Run a job; see ``RayEngine.run``."""
        assert self._engine is not None, "started"
        return self._engine.run(work)

    def _start_ray(self) -> None:
        with self._lock:
            options: dict[str, Any] = {"namespace": "serve", "log_to_driver": False, "logging_level": "error"}
            if own_ray.is_wanted():
                own_ray.set_environment()
                self._folder = PrivateFolder(own_ray.parent_folder())
                options.update(own_ray.options(self._folder.path))
            from ray import serve

            logging.getLogger("ray.serve").setLevel(logging.ERROR)  # the server writes its own log
            own_ray.init_ray(**options)
            serve.start(proxy_location="Disabled")

    def _stop_ray(self) -> None:
        with self._lock:  # waits for an abandoned start to finish
            import ray

            if not ray.is_initialized():
                return
            if self._folder is None:
                from ray import serve

                serve.delete(_APPLICATION)
            # Serve's threads go on for a moment, and log a traceback when Ray no longer answers them.
            logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
            ray.shutdown()  # this ends a Ray of our own with everything in it
            if self._folder is not None:
                self._folder.remove()
