"""Time and memory of the image network alone for a patch, relative to this machine's fastest convolution.

    python benchmarks/engine.py --network                      # the published patch: minutes
    python benchmarks/engine.py --network --patch 160 128 96   # smaller, for a first look

Each row has its own process. Between its runs the convolution is timed that serves as the limit: 3×3×3, 64
and 128 channels to 64, both layouts, the best of them. *Of the limit* is the time that the network's
convolutions would take at the mean of the rates before and after a run, divided by the time of the whole
network: the median of the runs. *Plain* runs the layers one by one, as in training, on 96×96×96 voxels; ours
is measured beside it on the same voxels. With ``--threads 1`` times are processor seconds, so ratios hold
whatever else is running.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import psutil
import torch

from textsegment.inference.device import CPU, computing
from textsegment.inference.memory import features_bytes, unet_bytes
from textsegment.inference.precision import PRECISIONS
from textsegment.model.config import CONFIGS, SATConfig
from textsegment.model.sat import SAT
from textsegment.model.unet import ConvBlock

PLAIN_PATCH = (96, 96, 96)
RUNS = 3


def flops(network: SAT) -> float:
    """Return the number of multiplications and additions in the convolutions for one patch."""
    encoder, decoder = network.backbone.encoder.stages, network.backbone.decoder.stages
    levels = [*enumerate(encoder), *((len(decoder) - 1 - n, stage) for n, stage in enumerate(decoder))]
    voxels = prod(network.config.patch_size)
    return sum(
        2.0 * block.conv.weight.numel() * voxels / 8**level
        for level, stage in levels
        for block in stage.modules()
        if isinstance(block, ConvBlock)
    )


def now() -> float:
    """Return a time in seconds: processor time if one thread computes, else wall time."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def limit(dtype: torch.dtype, width: int = 288, depth: int = 96) -> float:
    """Return the floating-point operations per second of the fastest convolution, the best of a few runs."""
    best = 0.0
    for channels in (64, 128):
        x, weight = torch.zeros(1, channels, 6, width, depth), torch.zeros(64, channels, 3, 3, 3)
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            a, b = (t.to(dtype).contiguous(memory_format=layout) for t in (x, weight))
            for _ in range(2):
                start = now()
                torch.nn.functional.conv3d(a, b, padding=(0, 1, 1))
                work = 2.0 * weight.numel() * 4 * width * depth
                best = max(best, work / (now() - start))
    return best


def measure(config: SATConfig, precision: str, runs: int) -> dict[str, float]:
    """Encode a patch several times in this process; precision ``plain`` means the plain layers in float32."""
    torch.manual_seed(0)
    network = SAT(config).eval().requires_grad_(False)
    patch = torch.randn(1, 1, *config.patch_size)
    dtype = PRECISIONS.get(precision, torch.float32)
    idle = psutil.Process().memory_info().rss
    context: Any = nullcontext() if precision == "plain" else computing(CPU, dtype)
    seconds, rates, shares = [], [], []
    with context:
        for number in range(runs + int(runs > 1)):
            start = now()
            network.encode_image(patch)
            took = now() - start
            if number == 0:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - idle
            with torch.inference_mode():
                rates.append(limit(dtype))
            if number or runs == 1:  # the first run creates what later runs reuse
                seconds.append(took)
                shares.append(flops(network) / statistics.mean(rates[-2:]) / took)
    return {
        "seconds": statistics.median(seconds),
        "gflops_limit": statistics.median(rates) / 1e9,
        "of_limit": statistics.median(shares),
        "peak_gb": peak / 1e9,
        "full_tensors": peak / features_bytes(config, dtype),
        "formula_gb": unet_bytes(config, CPU, dtype) / 1e9,
    }


def compare(arguments: argparse.Namespace) -> None:
    """Print the table of all rows."""
    before = os.getloadavg()[0]
    rows = [(PLAIN_PATCH, precision) for precision in ("plain", "fp32", "bf16")]
    rows += [(tuple(arguments.patch), precision) for precision in ("fp32", "bf16")]
    print(f"{arguments.model}, {arguments.threads} threads, torch {torch.__version__}, ", end="")
    print(f"{torch.backends.cpu.get_cpu_capability()}, median of {arguments.runs}, load {before:.1f}\n")
    print("| patch | | s | limit, GFLOP/s | of the limit | peak above the weights, GB | in full tensors |")
    print("|---|---|---|---|---|---|---|")
    for patch, precision in rows:
        command = [sys.executable, str(Path(__file__).with_name("engine.py")), "--network-row", precision]
        command += ["--model", arguments.model, "--threads", str(arguments.threads)]
        command += ["--runs", str(arguments.runs), "--patch", *map(str, patch)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"| {'×'.join(map(str, patch))} | {precision} | {row['seconds']:.1f} "
            f"| {row['gflops_limit']:.0f} | {row['of_limit']:.0%} "
            f"| {row['peak_gb']:.2f} | {row['full_tensors']:.2f} |",
            flush=True,
        )
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


def run_row(arguments: argparse.Namespace) -> None:
    """Measure one row in this process, and print the result as JSON."""
    height, width, depth = arguments.patch
    config = replace(CONFIGS[arguments.model], patch_size=(height, width, depth))
    print(json.dumps(measure(config, arguments.network_row, arguments.runs)))
