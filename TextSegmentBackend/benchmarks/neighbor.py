"""What busy neighbours on the same cores cost the engine: the image network alone and beside them.

    python benchmarks/neighbor.py                                       # sat-nano, 96×96×96, one neighbour
    python benchmarks/neighbor.py --model sat-demo --patch 96 96 64 --neighbors 2 --waiting active passive

A neighbour is a process that computes on one thread without a pause. Runs alone and beside neighbours
alternate, so that their ratio holds even if something else runs for a while. *Fair* is the ratio of times if
all threads get the same share of the cores; *processor* is the ratio of the processor times of the engine,
which is above 1 if its threads spin while they wait for each other. ``active`` lets threads spin, which is
the library's own default; ``passive`` is what the engine sets.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import torch

from textsegment.inference.device import CPU, computing, use_threads
from textsegment.inference.precision import PRECISIONS
from textsegment.model.config import CONFIGS
from textsegment.model.sat import SAT

NEIGHBOR = "while True: sum(range(10**6))"


@contextmanager
def neighbors(count: int) -> Iterator[None]:
    """Run busy processes while the block runs."""
    running = [subprocess.Popen([sys.executable, "-c", NEIGHBOR]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return the medians of wall and processor times, alone and beside neighbours."""
    use_threads(options.threads)
    torch.manual_seed(0)
    config = replace(CONFIGS[options.model], patch_size=tuple(options.patch))
    network = SAT(config).eval().requires_grad_(False)
    patch = torch.randn(1, 1, *config.patch_size)
    times: dict[str, list[float]] = {}

    def run(kind: str) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        with torch.no_grad(), computing(CPU, PRECISIONS[options.precision]):
            network.encode_image(patch)
        times.setdefault(f"{kind}_s", []).append(time.perf_counter() - wall)
        times.setdefault(f"{kind}_cpu_s", []).append(time.process_time() - processor)

    run("first")
    for _ in range(options.runs):
        run("alone")
        with neighbors(options.neighbors):
            run("beside")
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure, each way of waiting in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="sat-nano", choices=sorted(CONFIGS))
    parser.add_argument("--patch", type=int, nargs=3, default=(96, 96, 96))
    parser.add_argument("--precision", default="fp32", choices=sorted(PRECISIONS))
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=True))
    parser.add_argument("--neighbors", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--waiting", nargs="+", default=["passive"], choices=["active", "passive"])
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(options)))
        return
    cores = psutil.cpu_count(logical=True) or 1
    fair = max(1.0, (options.threads + options.neighbors) / cores)
    print(f"{options.model}, {options.precision}, {options.threads} threads on {cores} cores, ", end="")
    print(f"{options.neighbors} neighbours, load {os.getloadavg()[0]:.1f}, median of {options.runs}\n")
    print(
        "| threads that wait | alone, s | beside, s | ratio | fair | processor |\n|---|---|---|---|---|---|"
    )
    for waiting in options.waiting:
        policy = {**os.environ, "OMP_WAIT_POLICY": waiting.upper()}
        command = [sys.executable, *sys.argv, "--row"]
        done = subprocess.run(command, env=policy, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        print(
            f"| {waiting} | {found['alone_s']:.2f} | {found['beside_s']:.2f} "
            f"| {found['beside_s'] / found['alone_s']:.2f} | {fair:.2f} "
            f"| {found['beside_cpu_s'] / found['alone_cpu_s']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
