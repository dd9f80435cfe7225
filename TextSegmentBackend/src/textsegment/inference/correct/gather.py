"""Brings the features of the patches, and the probability of a prompt, to the cells of a correction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textsegment.geometry import Box, Geometry
from textsegment.inference.image.grid import index_map
from textsegment.inference.image.patches import PatchGrid, patch_weight
from textsegment.model.sat import SAT, PatchFeatures

# Cells that lie this far (in voxels) outside the canonical image still take the features at its border.
_BORDER = 1.0


@dataclass(frozen=True, eq=False)
class CellFeatures:
    """What the network says about cells.

    Attributes:
        features: float32 (n, C): weighted mean of the features of all patches; zero where there is no patch.
        probability: float32 (n): probability of the prompt; None without a prompt.
    """

    features: NDArray[np.float32]
    probability: NDArray[np.float32] | None


def canonical_places(
    indices: NDArray[np.float64], original: Geometry, canonical: Geometry
) -> NDArray[np.float64]:
    """Map (fractional) indices of the scan, of shape (n, 3), to those of the canonical image."""
    matrix = index_map(canonical, original)
    return indices @ matrix[:3, :3].T + matrix[:3, 3]


def gather(
    places: NDArray[np.float64],
    grid: PatchGrid,
    numbers: Sequence[int],
    features_of: Callable[[int], PatchFeatures],
    network: SAT,
    query: Tensor | None,
) -> CellFeatures:
    """Average the features of patches at places of the canonical image, trilinearly interpolated.

    Args:
        places: (n, 3) indices of the canonical image.
        grid: Patches of the canonical image.
        numbers: Indices of the patches to use.
        features_of: Function that returns the features of a patch.
        network: Network that decodes the prompt.
        query: Query (1, width) of the prompt; None without one.
    """
    sums = np.zeros((len(places), network.config.features[0]), dtype=np.float32)
    chances = np.zeros(len(places), dtype=np.float32)
    weights = np.zeros(len(places), dtype=np.float32)
    weight = patch_weight(grid.patch_size)
    for number in numbers:
        box = grid.boxes[number]
        here = _cells_in(places, box, grid.shape)
        if not len(here):
            continue
        local = np.clip(places[here] - box.start, 0, np.subtract(box.shape, 1))
        patch = features_of(number)
        nearest = np.rint(local).astype(np.intp)
        own = weight[tuple(nearest.T)]
        found = _interpolated(patch.pixel_features, local)
        sums[here] += found.cpu().numpy() * own[:, None]
        if query is not None:
            logits = found @ network.mask_embeddings(patch, query)[0].to(found)
            chances[here] += logits.sigmoid().cpu().numpy() * own
        weights[here] += own
    seen = np.maximum(weights, np.float32(1e-9))
    sums /= seen[:, None]
    chances /= seen
    return CellFeatures(sums, None if query is None else chances)


def _cells_in(places: NDArray[np.float64], box: Box, shape: tuple[int, int, int]) -> NDArray[np.intp]:
    inside = np.ones(len(places), dtype=bool)
    for axis in range(3):
        low, high = float(box.start[axis]), float(box.stop[axis] - 1)
        low -= _BORDER if box.start[axis] == 0 else 0
        high += _BORDER if box.stop[axis] == shape[axis] else 0
        inside &= (places[:, axis] >= low) & (places[:, axis] <= high)
    return np.flatnonzero(inside)


def _interpolated(pixel_features: Tensor, local: NDArray[np.float64]) -> Tensor:
    """Interpolate features (C, h, w, d) at (n, 3) places within the patch; returns float32 (n, C)."""
    low = np.floor(local.min(axis=0)).astype(int)
    high = np.minimum(np.ceil(local.max(axis=0)).astype(int) + 1, pixel_features.shape[1:])
    part = pixel_features[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))].float()
    steps = np.maximum(high - low - 1, 1)
    # From -1 to 1 over the part, the last axis first.
    scaled = (2 * (local - low) / steps - 1)[:, ::-1]
    at = torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32)).to(part.device)
    found = torch.nn.functional.grid_sample(
        part[None], at[None, None, None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return found[0, :, 0, 0].T
