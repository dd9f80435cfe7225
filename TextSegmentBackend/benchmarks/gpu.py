"""Parity, time and memory of SAT-Nano and SAT-Pro on a GPU, in one run of at most eight minutes.

    python benchmarks/gpu.py                      # on the CUDA device
    python benchmarks/gpu.py --device cpu --tiny  # a tiny network, to see that the script works

Weights are random, seeded by the names of the tensors, as in ``tests/golden``. Rows that fail say why, and
the others continue; rows for which no time is left are marked as such.

- Parity: relative errors against the golden outputs of the published networks (tiny: against float32).
- Encode: one patch of full size. *Slabs* is what the engine does, *plain* runs the layers one by one.
- Decode: cost of a group of prompts in one patch whose features are cached.
- Engine: a synthetic scan of two patches; first mask, all masks, one more prompt, restoring included.
- Ladder: the same with this process limited to the memory of cards of 8 and 12 GB.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textsegment.errors import TextSegmentError
from textsegment.geometry import Geometry
from textsegment.inference.accumulate import Accumulator
from textsegment.inference.decode import decode_patch
from textsegment.inference.device import computing, release_memory
from textsegment.inference.encode import encode_patch
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.image.patches import PatchGrid, patch_weight
from textsegment.inference.memory import unet_bytes
from textsegment.inference.precision import PRECISIONS
from textsegment.inference.weights.models import LoadedModel
from textsegment.model.checkpoints.published import load_published
from textsegment.model.config import SAT_NANO, SAT_PRO, SATConfig
from textsegment.model.sat import SAT, PatchFeatures
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.segmenter import MaskReady
from textsegment.volume import Volume

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS / "support"))
from named_weights import GOLDEN, named_tensors, published_shapes, tensor_for  # noqa: E402

TINY = replace(
    SAT_NANO,
    name="tiny",
    features=(8, 8, 8, 16, 16, 16),
    projection_hidden=32,
    mask_hidden=32,
    width=48,
    layers=2,
    feed_forward=64,
    patch_size=(96, 64, 32),
)
PROMPTS = (1, 16, 64, 256)
RUNS = 3
LIMIT_S = 450.0
CARDS_GB = (8, 12)


class Clock:
    """Measures time and memory on a device, and keeps the time limit of the whole run."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._start = time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether the time limit is reached, so that no further row may begin."""
        return time.perf_counter() - self._start > LIMIT_S

    def seconds(self, action: Callable[[], object], runs: int = RUNS) -> tuple[float, float, float]:
        """Return the seconds of the first call and of later ones (median), and the peak memory in GB."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        times = []
        for _ in range(runs + 1):
            start = time.perf_counter()
            action()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            times.append(time.perf_counter() - start)
        peak = torch.cuda.max_memory_allocated(self.device) / 1e9 if self.device.type == "cuda" else 0.0
        return times[0], statistics.median(times[1:]), peak

    def row(self, name: str, make: Callable[[], str]) -> None:
        """Print a row of a table, or why it failed."""
        if self.is_over:
            print(f"| {name} | left out: no time |")
            return
        try:
            answer = make()
        except (RuntimeError, TextSegmentError, MemoryError, ImportError) as error:
            answer = f"failed: {type(error).__name__}: {str(error).splitlines()[0][:150]}"
        gc.collect()
        release_memory(self.device)
        print(f"| {name} | {answer} |", flush=True)


def network_of(config: SATConfig, device: torch.device) -> SAT:
    """Return a network with weights seeded by the names of its tensors."""
    if config.name == "tiny":
        network = SAT(config)
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        drawn = {name: torch.from_numpy(tensor_for(name, shape)) for name, shape in shapes.items()}
        network.load_state_dict(drawn)
    else:
        with torch.device("meta"):
            network = SAT(config)
        table = published_shapes(f"keys_{config.name.removeprefix('sat-')}.tsv")
        load_published(network, named_tensors(table))
    return network.eval().requires_grad_(False).to(device)


@contextmanager
def plain_layers() -> Any:
    """Make the network run its plain layers, by enabling gradients (which no parameter requires)."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def parity(clock: Clock, network: SAT) -> None:
    """Print the errors against the golden outputs, for each precision."""
    config = network.config
    if config.name == "tiny":
        voxels = torch.randn(1, 1, *config.patch_size, generator=torch.Generator().manual_seed(0))
        queries = torch.randn(5, config.width, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = network(voxels.to(clock.device), queries.to(clock.device)).cpu().numpy()
    else:
        with np.load(GOLDEN / f"{config.name.removeprefix('sat-')}_64x32x32_a.npz") as golden:
            voxels, queries = torch.from_numpy(golden["voxels"]), torch.from_numpy(golden["queries"])
            expected = golden["logits"][0]
    print(f"\n| {config.name}, parity | relative error of logits, share of voxels that differ |\n|---|---|")
    for name, dtype in PRECISIONS.items():

        def compared(dtype: torch.dtype = dtype) -> str:
            features = encode_patch(network, voxels[0, 0].numpy(), clock.device, dtype)
            with computing(clock.device, torch.float32):
                embeddings = network.mask_embeddings(features, queries.to(clock.device))
                found = network.logits(features.pixel_features.float(), embeddings).cpu().numpy()
            error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
            return f"{error:.1e}, {np.mean((found > 0) != (expected > 0)):.1e}"

        clock.row(name, compared)


def encoding(clock: Clock, network: SAT, precisions: tuple[str, ...], compiles: bool) -> None:
    """Print the time and memory of encoding one patch in several ways."""
    device, config = clock.device, network.config
    patch = torch.randn(1, 1, *config.patch_size, device=device)
    print(f"\n| {config.name}, encode {config.patch_size} | first s, then s, peak GB |\n|---|---|")

    def ran(action: Callable[[], object], dtype: torch.dtype, context: Callable[[], Any]) -> str:
        with computing(device, dtype), context():
            first, later, peak = clock.seconds(action)
        return f"{first:.2f}, {later:.3f}, {peak:.2f}"

    def nothing() -> Any:
        return torch.no_grad()

    for name in precisions:
        dtype = PRECISIONS[name]

        def encode() -> PatchFeatures:
            return network.encode_image(patch)

        def compiled(dtype: torch.dtype = dtype) -> str:
            return ran(_compiled(network, patch), dtype, plain_layers)

        def last(dtype: torch.dtype = dtype, encode: Callable[[], PatchFeatures] = encode) -> str:
            network.to(memory_format=torch.channels_last_3d)
            try:
                return ran(encode, dtype, plain_layers)
            finally:
                network.to(memory_format=torch.contiguous_format)

        def graph(dtype: torch.dtype = dtype, encode: Callable[[], PatchFeatures] = encode) -> str:
            return ran(_graph(device, dtype, encode), dtype, nothing)

        clock.row(f"{name}, slabs", lambda d=dtype, e=encode: ran(e, d, nothing))
        clock.row(f"{name}, plain", lambda d=dtype, e=encode: ran(e, d, plain_layers))
        clock.row(f"{name}, plain, channels last", last)
        clock.row(f"{name}, slabs, CUDA graph", graph)
        if compiles:
            clock.row(f"{name}, plain, compiled", compiled)
    needed = unet_bytes(config, device, PRECISIONS[precisions[0]]) / 1e9
    print(f"\nformula of the U-Net in {precisions[0]}: {needed:.2f} GB")


def _compiled(network: SAT, patch: Tensor) -> Callable[[], object]:
    compiled = torch.compile(network.encode_image, dynamic=False)
    return lambda: compiled(patch)


def _graph(
    device: torch.device, dtype: torch.dtype, encode: Callable[[], PatchFeatures]
) -> Callable[[], object]:
    if device.type != "cuda":
        raise RuntimeError("CUDA devices only")
    with computing(device, dtype):
        side = torch.cuda.Stream(device)
        with torch.cuda.stream(side):  # warm up before the capture
            encode()
        torch.cuda.current_stream(device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            encode()
    return graph.replay


def decoding(clock: Clock, network: SAT, precision: str) -> None:
    """Print the time of decoding groups of prompts in one patch."""
    device, config = clock.device, network.config
    features = encode_patch(
        network, np.zeros(config.patch_size, dtype=np.float32), device, PRECISIONS[precision]
    )
    grid = PatchGrid(config.patch_size, config.patch_size)
    (box,) = grid.boxes
    weight = torch.tensor(patch_weight(config.patch_size), device=device)
    print(f"\n| {config.name}, decode in {precision}, prompts | s, peak GB |\n|---|---|")
    for count in PROMPTS:

        def decode(count: int = count) -> str:
            queries = torch.randn(count, config.width, device=device)

            def once() -> None:
                with computing(device, torch.float32):
                    embeddings = network.mask_embeddings(features, queries)
                    for group in embeddings.split(16):  # as many accumulators as fit beside the U-Net
                        accumulator = Accumulator(len(group), grid, device)
                        accumulator.begin_patch(box, weight)
                        decode_patch(features.pixel_features, group, box, weight, accumulator, 64 * 2**20)

            _, later, peak = clock.seconds(once, 1)
            return f"{later:.3f}, {peak:.2f}"

        clock.row(str(count), decode)


def made_scan(config: SATConfig) -> Volume:
    """Return a scan of coarse noise that takes two patches, at the canonical voxel size."""
    rng = np.random.default_rng(0)
    shape = tuple(int(n * f) for n, f in zip(config.patch_size, (1.4, 0.9, 1.0), strict=True))
    noise = rng.normal(size=[n // 16 + 2 for n in shape])
    for axis in range(3):
        noise = noise.repeat(16, axis)
    voxels = (noise[tuple(slice(n) for n in shape)] * 100 + 50).astype(np.float32)
    return Volume(voxels, Geometry(voxels.shape, np.diag([*config.spacing, 1.0])), "CT")


def engine(clock: Clock, network: SAT, prompts: int) -> str:
    """Run a first request, cold and warm, and a second one; report times, precision and memory."""
    config = network.config
    names = [f"structure {number}" for number in range(prompts + 1)]
    table = EmbeddingTable([(n, "CT") for n in names], torch.randn(len(names), config.width))
    loaded = LoadedModel(config.name, config, network, table, digest="named")
    segmenter = LocalSegmenter(loaded, device=str(clock.device))
    volume = made_scan(config)
    firsts: list[float] = []

    def request(wanted: list[str]) -> str:
        start = time.perf_counter()
        firsts.clear()

        def on_event(event: object) -> None:
            if isinstance(event, MaskReady):
                firsts.append(time.perf_counter() - start)

        result = segmenter.segment(volume, wanted, on_event=on_event)
        return str(result.provenance["precision"])

    def cold() -> None:
        segmenter.cache.clear()
        request(names[:prompts])

    _, everything, peak = clock.seconds(cold, 1)
    first = firsts[0]
    _, further, _ = clock.seconds(lambda: request(names[prompts:]), 1)
    precision = request(names[:1])
    return (
        f"first mask {first:.2f} s, all {prompts} {everything:.2f} s, one more {further:.2f} s, "
        f"{precision}, peak {peak:.2f} GB"
    )


def ladder(clock: Clock, network: SAT) -> None:
    """Print how the engine performs with limited memory."""
    print(f"\n| {network.config.name}, a card of | |\n|---|---|")
    for size in CARDS_GB:

        def bounded(size: int = size) -> str:
            if clock.device.type != "cuda":
                raise RuntimeError("CUDA devices only")
            total = torch.cuda.get_device_properties(clock.device).total_memory
            torch.cuda.set_per_process_memory_fraction(size * 1e9 / total, clock.device)
            try:
                return engine(clock, network, 16)
            finally:
                torch.cuda.set_per_process_memory_fraction(1.0, clock.device)

        clock.row(f"{size} GB", bounded)


def judge(config: SATConfig, clock: Clock, precisions: tuple[str, ...], compiles: bool) -> None:
    """Print all tables for one network."""
    network = network_of(config, clock.device)
    parity(clock, network)
    encoding(clock, network, precisions, compiles)
    decoding(clock, network, precisions[0])
    print(f"\n| {config.name}, engine | |\n|---|---|")
    clock.row("16 prompts", lambda: engine(clock, network, 16))
    clock.row("100 prompts", lambda: engine(clock, network, 100))
    ladder(clock, network)


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny network instead of SAT-Nano and SAT-Pro")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    clock = Clock(torch.device(arguments.device))
    name = torch.cuda.get_device_name(clock.device) if clock.device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    if arguments.tiny:
        judge(TINY, clock, ("bf16", "fp32"), arguments.compile)
        return
    judge(SAT_NANO, clock, ("fp16", "bf16", "fp32"), arguments.compile)
    judge(SAT_PRO, clock, ("fp16",), arguments.compile)


if __name__ == "__main__":
    main()
