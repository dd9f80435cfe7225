"""Time of the image network for a patch, with an earlier commit of this repository and as it is now.

    python benchmarks/old_commit.py 825bab3~1                    # the published patch in fp32: minutes
    python benchmarks/old_commit.py 825bab3~1 --patch 160 128 96 --precision fp32 bf16 --runs 3

825bab3 brought the slabs, so its parent is the engine without them. The sources of the commit are unpacked
into a temporary folder; installed packages are the same for both. Each run has its own process, and the two
alternate, so that neither has the quiet half of an hour. Weights and patch are random, from one seed. With
``--threads 1`` times are processor seconds, so ratios hold whatever else is running.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = "TextSegmentBackend/src"

# Runs with the sources of either commit, so it uses only what both have.
ONE_RUN = """
import json, resource, sys, time
from dataclasses import replace
import torch
from textsegment.inference.device import CPU, computing
from textsegment.model.config import CONFIGS
from textsegment.model.sat import SAT

model, threads, precision, *patch = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.manual_seed(0)
config = replace(CONFIGS[model], patch_size=tuple(map(int, patch)))
network = SAT(config).eval().requires_grad_(False)
image = torch.randn(1, 1, *config.patch_size)
dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
with computing(CPU, dtype):
    wall, processor = time.perf_counter(), time.process_time()
    features = network.encode_image(image)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
pixels = features.pixel_features.float()
check = [float(pixels.double().mean()), float(pixels.double().square().mean())]
print(json.dumps({"wall": wall, "processor": processor, "peak": peak, "check": check}))
"""


def unpacked(revision: str, folder: Path) -> Path:
    """Unpack the sources of a commit into a folder, and return the path to import them from."""
    archive = folder / "sources.tar"
    command = ["git", "-C", str(REPOSITORY), "archive", "--format=tar", "-o", str(archive), revision, SOURCES]
    subprocess.run(command, check=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    return folder / SOURCES


def one_run(sources: Path, precision: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Encode a patch once, in its own process, with the given sources."""
    command = [sys.executable, "-c", ONE_RUN, arguments.model, str(arguments.threads), precision]
    command += map(str, arguments.patch)
    environment = {**os.environ, "PYTHONPATH": str(sources)}
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def compare(old: Path, arguments: argparse.Namespace) -> None:
    """Print a table with a row for each precision."""
    clock = "processor" if arguments.threads == 1 else "wall"
    print(
        f"{arguments.model}, patch {arguments.patch}, {arguments.threads} threads, {clock} seconds, ", end=""
    )
    print(f"median of {arguments.runs}, load {os.getloadavg()[0]:.1f}\n")
    print(f"| | {arguments.revision}, s | now, s | old/now | old, peak GB | now, peak GB |")
    print("|---|---|---|---|---|---|")
    for precision in arguments.precision:
        found: dict[Path, list[dict[str, float]]] = {old: [], REPOSITORY / SOURCES: []}
        for _ in range(arguments.runs):
            for sources, runs in found.items():
                runs.append(one_run(sources, precision, arguments))
        before, now = (statistics.median(run[clock] for run in runs) for runs in found.values())
        peaks = [max(run["peak"] for run in runs) for runs in found.values()]
        print(
            f"| {precision} | {before:.1f} | {now:.1f} | {before / now:.2f} "
            f"| {peaks[0]:.2f} | {peaks[1]:.2f} |",
            flush=True,
        )
        print(f"<!-- {[runs[0]['check'] for runs in found.values()]} -->", flush=True)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", help="commit to compare with")
    parser.add_argument("--model", default="sat-nano")
    parser.add_argument("--patch", type=int, nargs=3, default=(288, 288, 96))
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="textsegment-") as folder:
        compare(unpacked(arguments.revision, Path(folder)), arguments)


if __name__ == "__main__":
    main()
