"""Rounding of the image network in float32, against double precision, with weights drawn from their names.

    python benchmarks/rounding.py                       # 96×96×64 voxels: minutes
    python benchmarks/rounding.py --patch 96 96 96 --salt b

Ours is the engine's own path, plain runs the layers one by one. Both are compared with the plain layers in
double precision, and with each other: the norm of the difference divided by the norm. The weights are those
of the golden numbers (``tests/golden``), for which any salt gives another, equally valid network.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from textsegment.inference.device import CPU, computing
from textsegment.model.checkpoints.published import load_published
from textsegment.model.config import CONFIGS
from textsegment.model.sat import SAT

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from named_weights import named_tensors, published_shapes


def network_of(salt: str, patch: tuple[int, int, int]) -> SAT:
    """Return SAT-Nano with weights that are drawn from their names."""
    with torch.device("meta"):
        network = SAT(replace(CONFIGS["sat-nano"], patch_size=patch))
    load_published(network, named_tensors(published_shapes("keys_nano.tsv"), salt))
    return network.eval().requires_grad_(False)


def difference(one: Tensor, other: Tensor) -> float:
    """Return the norm of the difference of two tensors, relative to that of the second."""
    return float((one.double() - other.double()).norm() / other.double().norm())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patch", type=int, nargs=3, default=(96, 96, 64))
    parser.add_argument("--salt", default="a")
    arguments = parser.parse_args()
    patch = tuple(arguments.patch)
    network = network_of(arguments.salt, patch)
    voxels = torch.randn((1, 1, *patch), generator=torch.Generator().manual_seed(0))
    with computing(CPU, torch.float32):
        ours = network.encode_image(voxels)
    plain = network.encode_image(voxels)  # outside inference mode, layers run one by one
    with torch.no_grad():  # slab by slab: whole, a convolution in double takes 16 GB on 96×96×64 voxels
        double = network.double().encode_image(voxels.double())
    print(f"SAT-Nano, salt {arguments.salt}, {'×'.join(map(str, patch))} voxels, torch {torch.__version__}\n")
    print("| | tokens | pixel features |\n|---|---|---|")
    rows = (("ours", ours, double), ("plain", plain, double), ("ours, against plain", ours, plain))
    for name, one, other in rows:
        tokens = difference(one.tokens, other.tokens)
        print(f"| {name} | {tokens:.1e} | {difference(one.pixel_features, other.pixel_features):.2e} |")


if __name__ == "__main__":
    main()
