"""Load test of a server with many concurrent clients: no answer lost, mixed up or duplicated, memory flat.

Each client has its own volume and asks for structures whose masks are known (``textsegment.testing``). Some
jobs are cancelled midway. With ``--model`` a real model answers, and only the form of the answers is
checked::

    python benchmarks/load.py --clients 32 --seconds 180
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import CancelledError
from textsegment.segmenter import CancelToken, Event, MaskReady, Progress
from textsegment.testing import ball, phantom
from textsegment.volume import Volume

NAMES = ("liver", "left kidney", "right kidney", "spleen", "pancreas", "aorta")
FAKE = "textsegment.testing:FakeSegmenter"
CANCELLED_SHARE = 0.1


@contextmanager
def serving(model: str, workers: int) -> Iterator[dict[str, Any]]:
    """Run ``textsegment serve``, and yield its announcement."""
    command = [
        sys.executable,
        "-m",
        "textsegment",
        "serve",
        "--port",
        "0",
        "--announce-json",
        "--stop-with-stdin",
    ]
    command += ["--max-queue", "256", *["--device", "cpu"] * workers]
    if model:
        command += ["--model", model]
    else:
        command += ["--segmenter", FAKE, "--segmenter-arguments", '{"seconds": 0.01}']
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield json.loads(server.stdout.readline())
    finally:
        server.stdin.close()
        server.wait()


class Tally:
    """Outcomes of the jobs of all clients."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._lock = threading.Lock()

    def add(self, outcome: str, seconds: float) -> None:
        """Record the outcome of a job."""
        with self._lock:
            self.counts[outcome] += 1
            if outcome == "right":
                self.seconds.append(seconds)


def verdict(volume: Volume, asked: list[str], events: list[Event], *, is_fake: bool) -> str:
    """Return the verdict on an answer."""
    masks = [event.mask for event in events if isinstance(event, MaskReady)]
    if sorted(mask.structure for mask in masks) != sorted(asked):
        return "lost or doubled"
    shape = volume.geometry.spatial_shape
    if is_fake and any(not np.array_equal(m.full(shape), ball(m.structure, volume.geometry)) for m in masks):
        return "mixed up"
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    return "right" if fractions == sorted(fractions) else "progress fell"


def client(number: int, url: str, end: float, tally: Tally, *, is_fake: bool) -> None:
    """Send requests until the time is over."""
    chance = random.Random(number)
    volume = phantom((48 + number, 40, 32))
    with RemoteSegmenter(url) as segmenter:
        while time.monotonic() < end:
            asked = chance.sample(NAMES, chance.randint(1, len(NAMES)))
            cancel = CancelToken()
            if chance.random() < CANCELLED_SHARE:
                threading.Timer(chance.random() * 0.5, cancel.cancel).start()
            events: list[Event] = []
            begin = time.monotonic()
            try:
                segmenter.segment(volume, asked, on_event=events.append, cancel=cancel)
                outcome = verdict(volume, asked, events, is_fake=is_fake)
            except CancelledError:
                outcome = "cancelled"
            tally.add(outcome, time.monotonic() - begin)


def watch_memory(pid: int, end: float) -> list[float]:
    """Return the resident memory of a process in MB, sampled ten times until the end."""
    process, found = psutil.Process(pid), []
    pause = (end - time.monotonic()) / 10
    for _ in range(10):
        time.sleep(pause)
        found.append(process.memory_info().rss / 1e6)
    return found


def main() -> int:
    """Run the test and print its outcome; return 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="", help="a real model instead of one that finds balls")
    wanted = parser.parse_args()
    tally = Tally()
    with serving(wanted.model, wanted.workers) as server:
        end = time.monotonic() + wanted.seconds
        threads = [
            threading.Thread(
                target=client,
                args=(number, server["url"], end, tally),
                kwargs={"is_fake": not wanted.model},
            )
            for number in range(wanted.clients)
        ]
        for thread in threads:
            thread.start()
        memory = watch_memory(server["pid"], end)
        for thread in threads:
            thread.join()
    print(f"{wanted.clients} clients, {wanted.workers} workers, {wanted.seconds:.0f} s: {dict(tally.counts)}")
    if tally.seconds:
        quantiles = statistics.quantiles(tally.seconds, n=20)
        print(f"seconds of a job: median {statistics.median(tally.seconds):.2f}, 95 % {quantiles[-1]:.2f}")
    print("memory of the server in MB:", *(f"{size:.0f}" for size in memory))
    return int(not set(tally.counts) <= {"right", "cancelled"})


if __name__ == "__main__":
    sys.exit(main())
