"""Measure the memory of the U-Net on the CPU and compare it with the formula in docs/memory.md.

    python benchmarks/memory.py sat-nano 96 96 96
    python benchmarks/memory.py sat-nano 96 96 96 --plain

Weights are random, since memory does not depend on them. Slabs are scaled with the patch, so that the
proportions are those of a full-size patch. ``tensors`` counts the bytes of all live tensors; ``process`` is
what the operating system allocated, including the library's own workspaces.
"""

from __future__ import annotations

import argparse
import resource
import time
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from math import prod
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from textsegment.inference.memory import features_bytes, unet_bytes
from textsegment.model import channels_first
from textsegment.model.config import CONFIGS, SATConfig
from textsegment.model.sat import SAT


class LiveTensors(TorchDispatchMode):
    """Counter of the bytes of all live tensors."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}
        self._live = 0
        self.peak = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and count the tensors that it creates."""
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return out

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self._live += storage.nbytes()
            self.peak = max(self.peak, self._live)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._live -= self._sizes.pop(key)


def network(config: SATConfig) -> SAT:
    """Return a network with random weights that require no gradients."""
    torch.manual_seed(0)
    return SAT(config).eval().requires_grad_(False)


def measure(config: SATConfig, plain: bool) -> None:
    """Print the table for one configuration."""
    full_patch = CONFIGS[config.name].patch_size
    share = prod(config.patch_size) / prod(full_patch)
    channels_first.SLAB_ELEMENTS = int(channels_first.SLAB_ELEMENTS * share)
    sat = network(config)
    patch = torch.randn(1, 1, *config.patch_size)
    # The plain layers are those of training; no graph is kept if no parameter requires gradients.
    mode: Any = nullcontext() if plain else torch.no_grad()
    before = psutil.Process().memory_info().rss
    start = time.process_time()
    with mode:
        sat.encode_image(patch)
    seconds = time.process_time() - start
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    live = LiveTensors()
    with mode, live:
        sat.encode_image(patch)
    full = features_bytes(config, torch.float32)
    rows = {"tensors": live.peak, "process": process}
    if not plain:
        rows["formula"] = unet_bytes(config, torch.device("cpu"), torch.float32)
    print(
        f"{config.name}, patch {config.patch_size}, {'plain' if plain else 'slabs'}, {seconds:.0f} s CPU time"
    )
    for name, size in rows.items():
        print(f"  {name:8} {size / 2**20:8.0f} MiB = {size / full:.2f} tensors of full resolution")


def main() -> None:
    """Run the measurement that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=sorted(CONFIGS))
    parser.add_argument("patch", type=int, nargs=3)
    parser.add_argument("--plain", action="store_true", help="the layers one after the other, as in training")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    height, width, depth = arguments.patch
    measure(replace(CONFIGS[arguments.model], patch_size=(height, width, depth)), arguments.plain)


if __name__ == "__main__":
    main()
