"""The whole engine on a GPU, also with the memory of smaller cards; rows for ``gpu``."""

from __future__ import annotations

import time

import numpy as np
import torch
from gpu_clock import Clock

from textsegment.geometry import Geometry
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.weights.models import LoadedModel
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.segmenter import MaskReady
from textsegment.volume import Volume

CARDS_GB = (8, 12)


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
