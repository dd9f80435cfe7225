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
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_clock import Clock
from gpu_engine import engine, ladder
from torch import Tensor

from textsegment.inference.accumulate import Accumulator
from textsegment.inference.decode import decode_patch
from textsegment.inference.device import computing
from textsegment.inference.encode import encode_patch
from textsegment.inference.image.patches import PatchGrid, patch_weight
from textsegment.inference.memory import unet_bytes
from textsegment.inference.precision import PRECISIONS
from textsegment.model.checkpoints.published import load_published
from textsegment.model.config import SAT_NANO, SAT_PRO, SATConfig
from textsegment.model.sat import SAT, PatchFeatures

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
