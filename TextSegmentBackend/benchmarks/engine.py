"""Our engine compared with the plain pipeline, on one CT, with the same weights and number of threads.

    python benchmarks/engine.py                                   # sat-nano, coarse grid: minutes
    python benchmarks/engine.py --spacing 1 1 3 --patch 288 288 96  # as in use: hours on two cores
    python benchmarks/engine.py --network                         # the image network alone: minutes

The scan is 3D Slicer's CTChest sample from the package ``slicerio``. The weights are the demo model's on its
own grid (``--model sat-demo --patch 128 96 64``), else random: the masks are then noise, the worst case for
resampling to the scan, a step that the plain pipeline lacks. Like the published script, that pipeline
recomputes everything for each request, in float32, with full-size accumulators. Each measurement has its own
process. With ``--threads 1`` times are processor seconds, so ratios hold whatever else is running.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import network
import numpy as np
import torch
from plain_pipeline import probabilities

from textsegment.files.reading import read_volume
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.image.canonical import to_canonical
from textsegment.inference.image.intensity import normalize
from textsegment.inference.weights.models import LoadedModel, load_model
from textsegment.model.config import CONFIGS, SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.vocabulary.structures import load_structures
from textsegment.volume import Volume

PROMPTS = (1, 4, 16, 64)
DEMO_PROMPTS = (1, 4, 16, 34)  # the demo has 35 structures in CT, one of them for the further prompt


def model_of(config: SATConfig, count: int) -> tuple[LoadedModel, list[str]]:
    """Return a network and up to ``count`` prompts it knows; weights are random except for the demo model."""
    if config == CONFIGS["sat-demo"]:
        model = load_model("sat-demo")
        return model, list(model.text_encoder.supported("CT") or ())[:count]
    torch.manual_seed(0)
    network = SAT(config).eval().requires_grad_(False)
    names = [name for name, structure in load_structures().items() if "CT" in structure.modalities][:count]
    table = EmbeddingTable([(name, "CT") for name in names], torch.randn(count, config.width))
    return LoadedModel(config.name, config, network, table, digest="random"), names


def scan() -> Volume:
    """Read 3D Slicer's CTChest sample."""
    return read_volume(Path(str(files("slicerio") / "data" / "CTChest4.nrrd")), modality="CT")


def ours(config: SATConfig, count: int, precision: str) -> dict[str, float]:
    """Time a first request with ``count`` prompts, and a second one with a single new prompt."""
    model, names = model_of(config, count + 1)
    volume, engine = scan(), LocalSegmenter(model, device="cpu", precision=precision)
    start = network.now()
    engine.segment(volume, names[:count])
    first = network.now() - start
    start = network.now()
    engine.segment(volume, names[count:])
    return {"first_s": first, "further_s": network.now() - start}


def plain(config: SATConfig, count: int) -> dict[str, float]:
    """Time one request with ``count`` prompts; a second request costs as much as a first."""
    model, names = model_of(config, count)
    volume = scan()
    start = network.now()
    canonical = to_canonical(volume, spacing=config.spacing)
    queries = model.text_encoder.encode(names, "CT")
    found = probabilities(model.network, normalize(canonical.voxels, "CT"), queries) > 0.5
    np.count_nonzero(found)
    return {"first_s": network.now() - start}


def measured(pipeline: str, count: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Run one pipeline in its own process; return its times and its peak memory."""
    command = [sys.executable, __file__, "--only", pipeline, "--prompts", str(count)]
    command += ["--model", arguments.model, "--threads", str(arguments.threads)]
    command += ["--precision", arguments.precision]
    command += ["--spacing", *map(str, arguments.spacing), "--patch", *map(str, arguments.patch)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def run_one(config: SATConfig, pipeline: str, count: int, precision: str) -> None:
    """Measure one pipeline in this process, and print the result as JSON."""
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = ours(config, count, precision) if pipeline == "ours" else plain(config, count)
    result["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result["idle_gib"] = idle / 2**20
    print(json.dumps(result))


def compare(arguments: argparse.Namespace) -> None:
    """Print a table of seconds, ratios and memory."""
    print(f"{arguments.model}, spacing {arguments.spacing} mm, patch {arguments.patch}, ", end="")
    print(f"ours in {arguments.precision}, {arguments.threads} threads, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}\n")
    print("| prompts | plain s | ours s | plain/ours | further prompt s | plain(1)/further ", end="")
    print("| plain GiB | ours GiB | ours/plain |\n|---|---|---|---|---|---|---|---|---|")
    alone = 0.0
    for count in DEMO_PROMPTS if arguments.model == "sat-demo" else PROMPTS:
        theirs, mine = measured("plain", count, arguments), measured("ours", count, arguments)
        alone = alone or theirs["first_s"]
        print(
            f"| {count} | {theirs['first_s']:.1f} | {mine['first_s']:.1f} "
            f"| {theirs['first_s'] / mine['first_s']:.2f} | {mine['further_s']:.2f} "
            f"| {alone / mine['further_s']:.0f} | {theirs['peak_gib']:.2f} | {mine['peak_gib']:.2f} "
            f"| {mine['peak_gib'] / theirs['peak_gib']:.2f} |",
            flush=True,
        )


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="sat-nano", choices=sorted(CONFIGS))
    parser.add_argument("--spacing", type=float, nargs=3, default=(3.0, 3.0, 3.0))
    parser.add_argument("--patch", type=int, nargs=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=("ours", "plain"), help="one measurement, as JSON")
    parser.add_argument("--prompts", type=int, default=1, help="with --only")
    parser.add_argument("--precision", default="fp32", help="of ours: fp32, bf16 or auto")
    parser.add_argument("--network", action="store_true", help="the image network alone: see network.py")
    parser.add_argument("--network-row", choices=("plain", "fp32", "bf16"), help="one of its rows, as JSON")
    parser.add_argument("--runs", type=int, default=network.RUNS, help="with --network")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.network or arguments.network_row:
        arguments.patch = arguments.patch or CONFIGS[arguments.model].patch_size
        (network.compare if arguments.network else network.run_row)(arguments)
        return
    arguments.patch = arguments.patch or (96, 96, 96)
    if arguments.only is None:
        compare(arguments)
        return
    (x, y, z), (h, w, d) = arguments.spacing, arguments.patch
    config = replace(CONFIGS[arguments.model], spacing=(x, y, z), patch_size=(h, w, d))
    run_one(config, arguments.only, arguments.prompts, arguments.precision)


if __name__ == "__main__":
    main()
