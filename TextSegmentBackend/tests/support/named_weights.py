"""Weights without files: every tensor of a checkpoint is drawn from its own name.

Figures in ``tests/golden`` come from the published network with these weights, so that agreement can be
tested without carrying hundreds of megabytes.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parents[1] / "golden"


def tensor_for(name: str, shape: tuple[int, ...], salt: str = "a") -> np.ndarray:
    """Draw the float32 tensor of one published parameter; another salt gives another checkpoint."""
    seed = int.from_bytes(hashlib.sha256(f"{salt}:{name}".encode()).digest()[:8], "little")
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, dtype=np.float32)
    if len(shape) == 1:
        is_scale = "norm" in name.lower() and name.endswith("weight")
        return 1 + 0.2 * noise if is_scale else 0.1 * noise
    if "embed" in name.split(".")[-2].lower() or "attention_bias" in name:
        return 0.05 * noise
    # A transposed convolution is stored (in, out, k, k, k).
    fan_in = shape[0] if "transpconvs" in name else math.prod(shape[1:])
    gain = 2.0 if len(shape) == 5 else 1.6
    return noise * np.float32(math.sqrt(gain / fan_in))


def published_shapes(table: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published checkpoint, from ``tests/golden/keys_*.tsv``."""
    shapes = {}
    for line in (GOLDEN / table).read_text().splitlines():
        name, shape, _ = line.split("\t")
        shapes[name] = tuple(int(size) for size in shape.strip("[]").split(",") if size.strip())
    return shapes


def named_tensors(shapes: dict[str, tuple[int, ...]], salt: str = "a") -> dict[str, torch.Tensor]:
    """Draw a whole checkpoint; ``position_ids`` counts, as in the real ones."""
    return {
        name: torch.arange(shape[1]).expand(1, -1)
        if name.endswith("position_ids")
        else torch.from_numpy(tensor_for(name, shape, salt))
        for name, shape in shapes.items()
    }
