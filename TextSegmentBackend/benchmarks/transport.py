"""Transport to a server and back, compared with sending files over HTTP, as ratios within one run.

    python benchmarks/transport.py [--repeats N] [uploads] [masks] [overhead] [cancel]

The CT is 3D Slicer's CTChest (package slicerio), resampled linearly to 512×512×290 voxels, 152 MB of int16,
with noise of 20 HU, correlated over 0.6 voxels in the slice, wherever it is not the constant background.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import count, product
from pathlib import Path
from statistics import median
from typing import Any

import nibabel
import nrrd
import numpy as np
import psutil
import requests
import slicerio
from scipy.ndimage import gaussian_filter, zoom
from transport_servers import AFFINE, NAMES, SHAPE

from textsegment.client.address import Address
from textsegment.client.remote import RemoteSegmenter
from textsegment.client.request import VolumeIdentities
from textsegment.client.retry import RetryPolicy
from textsegment.client.transport import Timeouts, Transport
from textsegment.client.upload import upload
from textsegment.errors import CancelledError
from textsegment.geometry import Geometry
from textsegment.segmenter import CancelToken, Event, MaskReady
from textsegment.volume import Volume
from textsegment.wire.volumes.codec import wire_volume
from textsegment.wire.volumes.header import Encoding

LINK_RATE = 12.5e6  # bytes a second: 100 Mbit/s
STRUCTURES = ["left lung", "right lung", "heart", "aorta", "liver"]


def chest() -> Volume:
    """Return CTChest at its own size, 128×128×34 voxels."""
    voxels, header = nrrd.read(str(Path(slicerio.__file__).parent / "data" / "CTChest4.nrrd"))
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1.0, -1.0, 1.0]) @ header["space directions"].T
    affine[:3, 3] = np.diag([-1.0, -1.0, 1.0]) @ header["space origin"]
    return Volume(voxels.astype(np.int16), Geometry(voxels.shape, affine), "CT")


def large_ct() -> Volume:
    """Return the resampled CT of 152 MB."""
    small = chest().voxels.astype(np.float32)
    large = zoom(small, [n / m for n, m in zip(SHAPE, small.shape, strict=True)], order=1)
    noise = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE).astype(np.float32), (0.6, 0.6, 0))
    large += np.where(large > -1010, 20 * noise / noise.std(), 0)
    return Volume(np.rint(large).astype(np.int16), Geometry(SHAPE, AFFINE), "CT")


def fresh(volume: Volume, number: int) -> Volume:
    """Return the volume with one voxel changed, so that no server has seen its digest."""
    voxels = volume.voxels.copy()
    voxels[0, 0, 0] = number
    return Volume(voxels, volume.geometry, volume.modality)


class Child:
    """Running process of ``transport_servers``."""

    def __init__(self, port: int, pid: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self._process = psutil.Process(pid)

    def busy_s(self) -> float:
        """Return the processor seconds of the server and of this process, excluding the engine's process."""
        times = self._process.cpu_times()
        return float(times.user + times.system) + time.process_time()


@contextmanager
def process(*arguments: str) -> Iterator[Child]:
    """Run one of the servers in ``transport_servers``."""
    script = Path(__file__).with_name("transport_servers.py")
    command = [sys.executable, str(script), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        yield Child(json.loads(child.stdout.readline())["port"], child.pid)
        if arguments[0] != "ours":  # ours ends when its stdin is closed
            child.terminate()


def link(child: Child) -> AbstractContextManager[Child]:
    """Put a link of 100 Mbit/s in front of a server."""
    return process("link", str(child.port), str(LINK_RATE))


def upload_ours(url: str, volume: Volume, encoding: Encoding) -> None:
    """Upload a volume as the client does, digest included."""
    identity = VolumeIdentities().of(volume)
    with closing(Transport(Address(url), None, Timeouts(), {})) as transport:
        retry = RetryPolicy(60, 60, time.sleep)
        upload(transport, wire_volume(volume), identity.digest, encoding, retry, lambda _: None)


def upload_nifti(url: str, volume: Volume, level: int | None) -> None:
    """Upload a volume as other tools do: gzipped NIfTI in a form, or plain NIfTI as the body."""
    body = nibabel.Nifti1Image(volume.voxels, volume.geometry.affine).to_bytes()
    if level is None:
        requests.post(url, data=body, timeout=600).raise_for_status()
    else:
        files = {"file": ("image.nii.gz", gzip.compress(body, level))}
        requests.post(url, files=files, timeout=600).raise_for_status()


WAYS: dict[str, tuple[str, Callable[[str, Volume], None]]] = {
    "ours, raw": ("ours", partial(upload_ours, encoding=Encoding.RAW)),
    "ours, deflated": ("ours", partial(upload_ours, encoding=Encoding.DEFLATED)),
    "NIfTI as it is": ("plain", partial(upload_nifti, level=None)),
    "NIfTI, gzip -1, in a form": ("plain", partial(upload_nifti, level=1)),
    "NIfTI, gzip -6, in a form": ("plain", partial(upload_nifti, level=6)),
}


def report_uploads(volume: Volume, repeats: int) -> None:
    """Print the seconds from voxels in the client to voxels in the server; the methods alternate."""
    seconds: dict[tuple[str, str], list[float]] = {}
    numbers = count(1)
    with (
        process("ours", "Replay") as ours,
        process("plain") as plain,
        link(ours) as far_ours,
        link(plain) as far_plain,
    ):
        children = {"ours": (ours, far_ours), "plain": (plain, far_plain)}
        for _, (name, (server, way)) in product(range(repeats), WAYS.items()):
            near, far = children[server]
            for place, child in (("loopback", near), ("100 Mbit/s", far)):
                copy = fresh(volume, next(numbers))
                start, busy = time.perf_counter(), near.busy_s()
                way(child.url, copy)
                seconds.setdefault((name, place), []).append(time.perf_counter() - start)
                if place == "loopback":
                    seconds.setdefault((name, "processor"), []).append(near.busy_s() - busy)
    best = {place: median(seconds["ours, raw", place]) for place in ("loopback", "processor")}
    best["100 Mbit/s"] = median(seconds["ours, deflated", "100 Mbit/s"])
    print("\n| upload of 152 MB | " + " | ".join(f"{place}, s | × ours" for place in best) + " |")
    print("|---" * (1 + 2 * len(best)) + "|")
    for name in WAYS:
        found = [(median(seconds[name, place]), best[place]) for place in best]
        print(f"| {name} | " + " | ".join(f"{took:.2f} | {took / least:.1f}" for took, least in found) + " |")


def report_masks(volume: Volume, repeats: int) -> None:
    """Print the seconds that 50 masks take from the server's memory to the client's."""
    with (
        process("ours", "Replay") as server,
        process("plain") as plain,
        RemoteSegmenter(server.url) as segmenter,
    ):
        segmenter.segment(volume, NAMES[:1])
        ours = [first_and_all(segmenter, volume, list(NAMES)) for _ in range(repeats)]
        files = [fetch_files(plain.url) for _ in range(repeats)]
    whole_ours = median(whole for _, whole, _ in ours)
    print("\n| 50 masks | first s | all s | times ours |")
    print("|---|---|---|---|")
    for name, runs in {"ours, one stream": ours, "one gzip'd NIfTI (-1) each": files}.items():
        first, whole = median(run[0] for run in runs), median(run[1] for run in runs)
        print(f"| {name} | {first:.3f} | {whole:.2f} | {whole / whole_ours:.1f} |")


def fetch_files(url: str) -> tuple[float, float]:
    """Get all masks as files over one connection; return the seconds to the first and to the last."""
    start, ends = time.perf_counter(), []
    with requests.Session() as session:
        for number in range(len(NAMES)):
            body = session.get(f"{url}/{number}", timeout=60).content
            np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(body)).dataobj)
            ends.append(time.perf_counter() - start)
    return ends[0], ends[-1]


def first_and_all(
    segmenter: RemoteSegmenter, volume: Volume, prompts: list[str]
) -> tuple[float, float, float]:
    """Send a request; return the seconds to the first mask, to the end, and as reported by the engine."""
    ends: list[float] = []

    def on_event(event: Event) -> None:
        if isinstance(event, MaskReady):
            ends.append(time.perf_counter() - start)

    start = time.perf_counter()
    result = segmenter.segment(volume, prompts, on_event=on_event)
    return ends[0], time.perf_counter() - start, float(result.provenance.get("engine_s", 0))


def report_overhead(volumes: dict[str, Volume], repeats: int) -> None:
    """Print the time that server, network and client add to that of the engine."""
    print("\n| sat-demo | first mask s | all s | engine s | beside it ms | share | processor ms |")
    print("|---|---|---|---|---|---|---|")
    with process("ours", "TimedDemo") as server, RemoteSegmenter(server.url) as segmenter:
        # Warm up: the first request of a process is slow.
        segmenter.segment(fresh(next(iter(volumes.values())), -1), STRUCTURES)
        for name, volume in volumes.items():
            new = [fresh(volume, number) for number in range(repeats)]
            known = [new[-1]] * (3 * repeats)
            cases: dict[str, tuple[list[Volume], list[str]]] = {
                "new, 5 structures": (new, STRUCTURES),
                "known, 5 structures": (known, STRUCTURES),
                "known, 1 structure": (known, ["heart"]),
            }
            for kind, (copies, prompts) in cases.items():
                busy = server.busy_s()
                runs = [first_and_all(segmenter, copy, prompts) for copy in copies]
                busy = (server.busy_s() - busy) / len(runs)
                first, whole, engine = (median(column) for column in zip(*runs, strict=True))
                beside = median(whole - engine for _, whole, engine in runs)
                print(
                    f"| {name}, {kind} | {first:.2f} | {whole:.2f} | {engine:.2f} "
                    f"| {beside * 1e3:.0f} | {beside / engine:.0%} | {busy * 1e3:.0f} |"
                )


def report_cancel(volume: Volume, repeats: int) -> None:
    """Print how long after ``cancel()`` the call returns while the engine is working."""
    free: list[float] = []
    with process("ours", "TimedDemo") as server, RemoteSegmenter(server.url) as segmenter:
        segmenter.segment(volume, STRUCTURES)
        for number in range(5 * repeats):
            token, cancelled_at = CancelToken(), [0.0]
            threading.Timer(0.5, cancel_now, (token, cancelled_at)).start()
            try:
                segmenter.segment(fresh(volume, number), STRUCTURES, cancel=token)
            except CancelledError:
                free.append(time.perf_counter() - cancelled_at[0])
    typical, worst = median(free) * 1e3, max(free) * 1e3
    print(f"\nCancelled in mid-job {len(free)} times: free after {typical:.0f} ms, at most {worst:.0f} ms.")


def cancel_now(token: CancelToken, at: list[float]) -> None:
    """Cancel, and record the time."""
    at[0] = time.perf_counter()
    token.cancel()


def main() -> None:
    """Run the measurements that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("what", nargs="*", help="uploads, masks, overhead, cancel; all if none is given")
    chosen = parser.parse_args()
    small, large = chest(), large_ct()
    reports: dict[str, Callable[[int], Any]] = {
        "uploads": partial(report_uploads, large),
        "masks": partial(report_masks, large),
        "overhead": partial(report_overhead, {"128×128×34": small, "512×512×290": large}),
        "cancel": partial(report_cancel, small),
    }
    for what in chosen.what or reports:
        reports[what](chosen.repeats)


if __name__ == "__main__":
    main()
