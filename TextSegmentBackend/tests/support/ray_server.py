"""``textsegment serve --ray`` in a process of its own, and the same server as an application of Ray Serve."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import requests
from made_segmenters import Failing
from server_process import DEADLINE_S, FAKE, ServerProcess

from textsegment.effort import WHOLE_IMAGE
from textsegment.segmentation import Segmentation
from textsegment.wire.contract import HEALTH_ROUTE


@functools.cache
def shared_ray() -> ServerProcess:
    """Return a Ray that runs until the tests of this process end, for one application at a time."""
    return ServerProcess(command=[sys.executable, __file__])


def end_shared_ray() -> None:
    """End it if it was started."""
    if shared_ray.cache_info().currsize:
        shared_ray().end()


class RayServer(ServerProcess):
    """A server with two replicas on a Ray of its own, or on one that runs already.

    Args:
        segmenter: What makes the segmenter.
        arguments: Its keyword arguments.
        options: More of the command line.
        replicas: How many.
        ray: From ``shared_ray``.
    """

    def __init__(
        self,
        segmenter: str = FAKE,
        arguments: Mapping[str, Any] | None = None,
        options: Sequence[str] = (),
        replicas: int = 2,
        ray: ServerProcess | None = None,
    ) -> None:
        wanted = ["--segmenter", segmenter, "--segmenter-arguments", json.dumps(arguments or {})]
        command = [sys.executable, "-m", "textsegment", "serve", "--ray", "--replicas", str(replicas)]
        announced = ["--port", "0", "--announce-json", "--stop-with-stdin"]
        environment = ray.announced["environment"] if ray else None
        super().__init__(command=[*command, *wanted, *announced, *options], environment=environment)

    def replicas(self) -> list[int]:
        """Process ids of the replicas of the segmenter."""
        return replicas_of(self, "segmenter")

    def ray_folder(self) -> Path:
        """Where this Ray keeps its files."""
        raylet = next(p for p in self.tree() if p.name() == "raylet")
        store = next(a for a in raylet.cmdline() if a.startswith("--store_socket_name="))
        return Path(store.partition("=")[2]).parents[2]


def replicas_of(server: ServerProcess, deployment: str) -> list[int]:
    """Process ids of the replicas of a deployment below a server."""
    found = []
    for process in server.tree():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            title = "".join(process.cmdline())
            if title.startswith(f"ray::ServeReplica:textsegment:{deployment}"):
                found.append(process.pid)
    return found


def ray_application(arguments: Mapping[str, Any], ray: ServerProcess) -> ServerProcess:
    """Start ``app:app`` on a Ray that runs, with these arguments and a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = {**arguments, "server": {**arguments.get("server", {}), "port": port}}
    command = [sys.executable, __file__, json.dumps(arguments)]
    return ServerProcess(command=command, environment=ray.announced["environment"])


class Traced(Failing):
    """Says in the provenance which process it was; has a defect where the esophagus is all that is asked for.

    Args:
        note: File with the number of failures left, shared by all replicas.
        seconds: How long one structure takes.
    """

    def __init__(self, note: str, seconds: float) -> None:
        super().__init__(note, "device")
        self._seconds = seconds

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        if [prompt.text for prompt in prompts] == ["esophagus"]:
            raise ZeroDivisionError("PATIENT^NAME")
        result = super().segment(volume, prompts, on_event=on_event, cancel=cancel)
        return Segmentation(result.geometry, result.masks, {**result.provenance, "pid": os.getpid()})


def run_ray() -> None:
    """Run a Ray until stdin ends, and say how to join it."""
    os.environ.update(  # Ray reads it while it is imported
        RAY_USAGE_STATS_ENABLED="0",
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
    )
    import ray

    from textsegment.own_ray import init_ray

    started = init_ray(address="local", include_dashboard=False, log_to_driver=False, logging_level="error")
    address = started.address_info["gcs_address"]
    joining = {name: os.environ[name] for name in os.environ if name.startswith("RAY_")}
    url, port = f"http://{address}", int(address.rpartition(":")[2])
    announced = {"url": url, "port": port, "environment": {**joining, "RAY_ADDRESS": address}}
    print(json.dumps(announced), flush=True)
    sys.stdin.read()
    ray.shutdown()


def run_application(arguments: dict[str, Any]) -> None:
    """Run the application until stdin ends."""
    import ray
    from ray import serve

    from textsegment.server.engines.ray.app import app

    ray.init(namespace="serve", log_to_driver=False, logging_level="error")
    serve.start(proxy_location="Disabled")
    serve.run(app(arguments), name="textsegment", route_prefix=None)
    port = arguments["server"]["port"]
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + DEADLINE_S
    while True:  # the front answers a moment after Serve calls it ready
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url + HEALTH_ROUTE, timeout=DEADLINE_S)
            break
        assert time.monotonic() < end
        time.sleep(0.05)
    print(json.dumps({"url": url, "host": "127.0.0.1", "port": port, "pid": os.getpid()}), flush=True)
    sys.stdin.read()
    serve.delete("textsegment")
    ray.shutdown()


if __name__ == "__main__":
    run_application(json.loads(sys.argv[1])) if sys.argv[1:] else run_ray()
