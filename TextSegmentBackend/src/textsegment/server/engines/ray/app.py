"""The server as a Ray Serve application, for a configuration file, ``serve run``, or KubeRay.

One lightweight replica, the front, is the usual HTTP server with its queue and its volumes; the replicas of
the segmenter compute. The front listens on a port of its own: Ray Serve's HTTP proxy accepts a body as fast
as it arrives and buffers what the application has not read yet, so a large upload would fill two processes.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve.handle import DeploymentHandle

from textsegment.server.app import create_app
from textsegment.server.engines.ray.deployment import replicas_of
from textsegment.server.engines.ray.engine import RayEngine
from textsegment.server.engines.ray.settings import ReplicaSettings
from textsegment.server.logs import use_json_logs
from textsegment.server.run import Server, listen
from textsegment.server.settings import ServerSettings, read_keys

_STRICT = ConfigDict(extra="forbid")


class AppArguments(BaseModel):
    """Values under ``args`` in the configuration file.

    Attributes:
        model: Name of the model.
        device: Device of each replica; ``auto`` is the GPU that Ray assigns to it, if any.
        precision: Precision of the image network.
        replicas: Number and resources of the replicas.
        token_file: File with access keys, one per line, on the node of the front.
        server: Fields of ``ServerSettings`` other than the keys.
    """

    model_config = _STRICT

    model: str = "sat-demo"
    device: str = "auto"
    precision: str = "auto"
    replicas: ReplicaSettings = ReplicaSettings()
    token_file: Path | None = None
    server: dict[str, Any] = {}


class _Server(BaseModel):
    model_config = _STRICT

    settings: ServerSettings


def app(arguments: dict[str, Any]) -> serve.Application:
    """Return the application; its front runs on the head node of the cluster.

    Args:
        arguments: Fields of ``AppArguments``, as read from the configuration file.
    """
    given = AppArguments.model_validate(arguments)
    segmenter = {"model": given.model, "device": given.device, "precision": given.precision}
    front = serve.deployment(
        Front,
        name="front",
        num_replicas=1,
        ray_actor_options={"num_cpus": 0.5, "resources": {"node:__internal_head__": 0.001}},
    )
    return front.bind(given, replicas_of(given.replicas, segmenter))


class Front:
    """The replica that runs the HTTP server.

    Args:
        arguments: Arguments of the application.
        segmenter: Handle of the replicas that compute.

    Raises:
        SettingsError: If the settings are inconsistent or the address is in use; Serve then tries again.
    """

    _serving: asyncio.Task[None] | None = None

    def __init__(self, arguments: AppArguments, segmenter: DeploymentHandle) -> None:
        use_json_logs()
        keys = read_keys(arguments.token_file)
        fields = {**arguments.server, "keys": keys, "token_file": arguments.token_file}
        settings = _Server.model_validate({"settings": fields}).settings
        self._app = create_app(RayEngine(segmenter, arguments.replicas.most), settings)
        self._server = Server(self._app, settings)
        self._serving = asyncio.get_running_loop().create_task(self._serve(listen(settings)))

    async def _serve(self, listener: socket.socket) -> None:
        with listener:
            async with self._app.router.lifespan_context(self._app):
                await self._server.serve(sockets=[listener])

    def check_health(self) -> None:
        """Raise an error if the server has ended, so that Serve starts another front."""
        if self._serving is not None and self._serving.done():
            raise RuntimeError("The front has ended.") from self._serving.exception()

    async def __del__(self) -> None:
        """Let running jobs finish; Serve waits for this."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
