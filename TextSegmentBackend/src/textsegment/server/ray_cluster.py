"""An engine that brings its own Ray, for ``textsegment serve --ray``, or joins one that runs already."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from textsegment.segmenter import ModelInfo
from textsegment.server.engine import Work
from textsegment.server.ray_settings import ReplicaSettings
from textsegment.server.workers import LOCAL_SEGMENTER

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

    from textsegment.server.ray_engine import RayEngine

# Read by Ray while it is imported, and by the processes that it starts.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Despite its name: a Ray that may not grow beyond this computer listens on loopback only.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}
_APPLICATION = "textsegment"


class ClusterEngine:
    """See ``Engine``; replicas of the segmenter on Ray Serve, started and ended with the server.

    If the environment variable ``RAY_ADDRESS`` is set, they run on that cluster. Otherwise a Ray is started
    that only this computer can reach, with a secret and a folder of its own, and nothing of it is left at the
    end. Ray must not have been imported before.

    Args:
        replicas: How many, and on what.
        arguments: Keyword arguments of the segmenter.
        factory: What makes a segmenter, ``"module:name"``.
    """

    def __init__(
        self, replicas: ReplicaSettings, arguments: Mapping[str, Any], factory: str = LOCAL_SEGMENTER
    ) -> None:
        self._replicas = replicas
        self._arguments = arguments
        self._factory = factory
        self._folder: str | None = None
        self._engine: RayEngine | None = None

    @property
    def slots(self) -> int:
        """How many jobs are given to Ray at once."""
        return self._replicas.most

    async def start(self) -> ModelInfo:
        """Start Ray and the replicas; see ``Engine.start``."""
        try:
            handle = await asyncio.to_thread(self._start)
            _restore_signals()
            from textsegment.server.ray_engine import RayEngine

            self._engine = RayEngine(handle, self._replicas.most)
            return await self._engine.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the replicas, and Ray if it is our own; see ``Engine.stop``."""
        await asyncio.to_thread(self._stop)

    def run(self, work: Work) -> AsyncIterator[bytes]:
        """Run a job; see ``RayEngine.run``."""
        assert self._engine is not None, "started"
        return self._engine.run(work)

    def _start(self) -> DeploymentHandle:
        options: dict[str, Any] = {"namespace": "serve", "log_to_driver": False, "logging_level": "error"}
        if "RAY_ADDRESS" not in os.environ:
            os.environ.update(_ENVIRONMENT, RAY_AUTH_TOKEN=secrets.token_hex(32))
            # A short path: the name of a Unix socket has at most 107 bytes.
            self._folder = tempfile.mkdtemp(prefix="tsray-")
            options.update(address="local", include_dashboard=False, _temp_dir=self._folder)
        import ray
        from ray import serve

        from textsegment.server.ray_deployment import replicas_of, run_replicas

        logging.getLogger("ray.serve").setLevel(logging.ERROR)  # the server says itself what it does
        ray.init(**options)
        serve.start(proxy_location="Disabled")
        return run_replicas(replicas_of(self._replicas, self._arguments, self._factory), _APPLICATION)

    def _stop(self) -> None:
        import ray

        if not ray.is_initialized():
            return
        if self._folder is None:
            from ray import serve

            serve.delete(_APPLICATION)
        ray.shutdown()  # a Ray of our own ends with everything in it
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _restore_signals() -> None:
    """Give SIGTERM back to Python: Ray's core takes it behind its back, to print a stack trace."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
