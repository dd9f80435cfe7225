"""Servers that ``transport.py`` measures, each to be run in its own process.

    python benchmarks/transport_servers.py ours FACTORY   our server with a segmenter from this file
    python benchmarks/transport_servers.py plain          files over HTTP, as other servers do it
    python benchmarks/transport_servers.py link PORT RATE a link to a port, at RATE bytes per second

Each prints the port that it listens on.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter

from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.geometry import Box
from textsegment.prompt import Prompt
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.segmenter import CancelToken, Event, EventCallback, MaskReady, ModelInfo, ignore_events
from textsegment.volume import Volume

SHAPE = (512, 512, 290)
AFFINE = np.diag([-0.75, -0.75, 1.0, 1.0])
NAMES = tuple(f"structure {number}" for number in range(50))


def made_masks() -> list[StructureMask]:
    """Return 50 bodies of 10 to 90 mm in radius, with smooth random surfaces like those of organs."""
    rng = np.random.default_rng(5)
    masks = []
    for name, radius_mm in zip(NAMES, np.geomspace(10, 90, len(NAMES)), strict=True):
        half = np.array([math.ceil(1.2 * radius_mm / size) for size in (0.75, 0.75, 1.0)])
        half = np.minimum(half, np.array(SHAPE) // 2 - 1)
        grids = np.ogrid[tuple(slice(-n, n) for n in half)]
        distance = np.sqrt(sum((g * s) ** 2 for g, s in zip(grids, (0.75, 0.75, 1.0), strict=True)))
        coarse = gaussian_filter(rng.normal(size=[2 * n // 4 + 1 for n in half]), 2)
        rough = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2)[tuple(slice(2 * n) for n in half)]
        voxels = distance < radius_mm * (1 + 0.15 * rough / rough.std())
        start = [int(rng.integers(0, n - 2 * h + 1)) for n, h in zip(SHAPE, half, strict=True)]
        box = Box(tuple(start), tuple(int(a + 2 * h) for a, h in zip(start, half, strict=True)))
        count = int(voxels.sum())
        masks.append(StructureMask(name, box, voxels, MaskStatistics(count, count / 1778, 40.0, 0.9, False)))
    return masks


class Replay:
    """Segmenter whose masks are ready, so that only their transport to the client takes time."""

    def __init__(self) -> None:
        self._masks = {mask.structure: mask for mask in made_masks()}

    def info(self) -> ModelInfo:
        """See ``Segmenter.info``."""
        return ModelInfo("replay", "0" * 64, "cpu", {"CT": NAMES})

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """See ``Segmenter.segment``."""
        masks = tuple(self._masks[getattr(prompt, "text", prompt)] for prompt in prompts)
        for mask in masks:
            on_event(MaskReady(mask))
        return Segmentation(volume.geometry, masks, {"model": "replay"})


class TimedDemo:
    """Segmenter with the demo model, which records its computing time in the provenance."""

    def __init__(self) -> None:
        from textsegment.inference.engine import LocalSegmenter

        self._engine = LocalSegmenter("sat-demo", device="cpu")

    def info(self) -> ModelInfo:
        """See ``Segmenter.info``."""
        return self._engine.info()

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """See ``Segmenter.segment``."""
        sending = 0.0

        def timed(event: Event) -> None:
            nonlocal sending
            before = time.perf_counter()
            on_event(event)
            sending += time.perf_counter() - before

        start = time.perf_counter()
        result = self._engine.segment(volume, prompts, effort=effort, on_event=timed, cancel=cancel)
        engine_s = time.perf_counter() - start - sending
        return replace(result, provenance={**result.provenance, "engine_s": engine_s})


class _Plain(BaseHTTPRequestHandler):
    """Handler of a plain server: POST / takes a NIfTI, in a multipart form or not; GET /N returns mask N."""

    protocol_version = "HTTP/1.1"
    masks: list[StructureMask]

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "multipart" in self.headers.get("Content-Type", ""):
            start = body.index(b"\r\n\r\n") + 4
            body = gzip.decompress(body[start : body.rindex(b"\r\n--")])
        voxels = np.asarray(nibabel.Nifti1Image.from_bytes(body).dataobj)
        self._reply(str(int(voxels.max())).encode())

    def do_GET(self) -> None:
        whole = self.masks[int(self.path[1:])].full(SHAPE).astype(np.uint8)
        self._reply(gzip.compress(nibabel.Nifti1Image(whole, AFFINE).to_bytes(), 1))

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve_plain() -> None:
    """Serve files over HTTP."""
    _Plain.masks = made_masks()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Plain)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()


def serve_ours(factory: str) -> None:
    """Run our server until stdin is closed."""
    from textsegment.server.engines.local import LocalEngine
    from textsegment.server.run import run_server
    from textsegment.server.settings import ServerSettings

    engine = LocalEngine([{}], f"transport_servers:{factory}")
    with tempfile.TemporaryDirectory(prefix="textsegment-benchmark-") as folder:
        settings = ServerSettings(port=0, store_folder=Path(folder))
        run_server(engine, settings, announce_json=True, stop_with_stdin=True)


async def serve_link(port: int, rate: float) -> None:
    """Forward bytes at a limited rate, independently in each direction, with 64 KiB in flight."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due = time.perf_counter()
        while data := await reader.read(16384):
            due = max(due, time.perf_counter()) + len(data) / rate
            await asyncio.sleep(due - time.perf_counter())
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", port, limit=65536)
        await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=65536)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "ours":
        serve_ours(arguments[0])
    elif what == "plain":
        serve_plain()
    else:
        asyncio.run(serve_link(int(arguments[0]), float(arguments[1])))
