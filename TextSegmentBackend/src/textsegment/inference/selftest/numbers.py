"""Numbers of a fixed input: the plain layers in float32 against the chosen device and precision.

The plain layers are those that training uses; the engine has others, which save memory and time. For the
demonstration model the numbers themselves are known as well.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textsegment.inference.device import CPU, computing
from textsegment.inference.encode import encode_patch
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.selftest.check import Check
from textsegment.inference.selftest.sample import EXPECTED

SHAPE = (64, 64, 64)
"""Size of the fixed input in voxels."""
_MOST_FLIPPED = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 1e-2}
_LARGEST_ERROR = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 5e-2}
_KNOWN = "data/sat-demo-numbers.json"
_KNOWN_TOLERANCE = 1e-2
_STEP = 21
_DECIMALS = 4


@dataclass(frozen=True)
class Numbers:
    """Outcome of the comparison.

    Attributes:
        checks: What was compared.
        plain_s: Seconds that the plain layers took.
        chosen_s: Seconds that the chosen device and precision took.
    """

    checks: tuple[Check, ...]
    plain_s: float
    chosen_s: float


def compare_numbers(segmenter: LocalSegmenter) -> Numbers:
    """Compute the logits of a fixed input in two ways and compare them.

    Raises:
        WeightsError: The image network answers with numbers that are not finite.
    """
    queries = segmenter.model.text_encoder.encode([one.structure for one in EXPECTED], "CT").float()
    begun = time.perf_counter()
    plain = plain_logits(segmenter, queries)
    middle = time.perf_counter()
    chosen = _chosen_logits(segmenter, queries)
    ended = time.perf_counter()
    checks = [_finite(plain, chosen)]
    if checks[0].passed:
        checks += [_same(plain, chosen, segmenter.precision), _told_apart(queries), *_known(segmenter, plain)]
    return Numbers(tuple(checks), middle - begun, ended - middle)


def plain_logits(segmenter: LocalSegmenter, queries: Tensor) -> Tensor:
    """Return the logits (N, h, w, d) of the fixed input by the plain layers, in float32 on the CPU."""
    network = segmenter.network if segmenter.device == CPU else copy.deepcopy(segmenter.network).to(CPU)
    needing = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in needing:  # otherwise a graph would take memory
        parameter.requires_grad_(False)
    try:
        # With gradients enabled the network runs its plain layers, otherwise the memory-saving ones.
        with torch.enable_grad():
            logits: Tensor = network(torch.from_numpy(fixed_input())[None, None], queries)
            return logits.detach()
    finally:
        for parameter in needing:
            parameter.requires_grad_(True)


def fixed_input() -> NDArray[np.float32]:
    """Return the fixed input: waves of several lengths on a slope, with mean 0 and deviation 1."""
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    waves = np.sin(x / 7 + y / 13) + np.sin(y / 5 - z / 9) + np.cos(z / 6 + x / 17) + 0.02 * (x - y + z)
    return np.asarray((waves - waves.mean()) / waves.std(), dtype=np.float32)


def known_numbers(plain: Tensor) -> list[list[float]]:
    """Return some of the logits for each prompt, as they stand in the file of known numbers."""
    picked = plain[:, ::_STEP, ::_STEP, ::_STEP].flatten(1)
    return [[round(float(value), _DECIMALS) for value in row] for row in picked]


def _chosen_logits(segmenter: LocalSegmenter, queries: Tensor) -> Tensor:
    network, device = segmenter.network, segmenter.device
    with computing(device, torch.float32):
        features = encode_patch(network, fixed_input(), device, segmenter.precision)
        embeddings = network.mask_embeddings(features, queries.to(device))
        return network.logits(features.pixel_features.float(), embeddings).to(CPU)


def _finite(*logits: Tensor) -> Check:
    are_finite = all(bool(torch.isfinite(each).all()) for each in logits)
    finding = "all of them" if are_finite else "some are NaN or infinite"
    return Check("numbers are finite", are_finite, finding, is_vital=True)


def _same(plain: Tensor, chosen: Tensor, precision: torch.dtype) -> Check:
    flipped = float(((plain > 0) != (chosen > 0)).float().mean())
    error = float((plain - chosen).square().mean().sqrt() / plain.square().mean().sqrt().clamp(min=1e-9))
    passed = flipped <= _MOST_FLIPPED[precision] and error <= _LARGEST_ERROR[precision]
    values = {"flipped_share": flipped, "relative_error": error}
    finding = f"{100 * flipped:.3f} % of voxels differ, relative error {error:.1e}"
    return Check("plain layers and the chosen ones agree", passed, finding, values, is_vital=True)


def _told_apart(queries: Tensor) -> Check:
    """Embeddings of different prompts differ."""
    closest = float(torch.pdist(queries).min() / queries.norm(dim=1).mean().clamp(min=1e-9))
    finding = f"the two closest differ by {closest:.1e} of their length"
    values = {"closest": closest}
    return Check("prompts have different embeddings", closest > 1e-3, finding, values, is_vital=True)


def _known(segmenter: LocalSegmenter, plain: Tensor) -> Iterator[Check]:
    if segmenter.model.name != "sat-demo":
        return
    known: dict[str, Any] = json.loads(
        resources.files("textsegment.model").joinpath(_KNOWN).read_text("utf-8")
    )
    is_same = segmenter.model.digest == known["weights_sha256"]
    finding = "those of this version" if is_same else "not those of this version: install the package again"
    yield Check("weights of sat-demo", is_same, finding, {"sha256": segmenter.model.digest}, is_vital=True)
    difference = np.abs(np.subtract(known_numbers(plain), known["logits"])).max()
    scale = float(np.abs(known["logits"]).max())
    finding = f"the largest difference is {difference:.1e}, of {scale:.0f}"
    passed = bool(difference <= _KNOWN_TOLERANCE * scale)
    yield Check("known numbers", passed, finding, {"difference": float(difference)}, is_vital=True)
