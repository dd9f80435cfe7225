"""What a scan would cost, said before the network runs."""

from __future__ import annotations

from dataclasses import dataclass

from textsegment.inference.canonical import to_canonical
from textsegment.inference.patches import PatchGrid
from textsegment.model.config import SATConfig
from textsegment.volume import Volume


@dataclass(frozen=True)
class Estimate:
    """What it takes to segment a scan.

    Attributes:
        patches: Pieces that the image network runs on; it runs on each once a scan.
        memory_bytes: At the peak, or None: not estimated.
        seconds: For one structure on this computer, or None: not estimated.
    """

    patches: int
    memory_bytes: int | None = None
    seconds: float | None = None


def estimate(volume: Volume, config: SATConfig) -> Estimate:
    """Estimate what it takes to segment a scan with a model.

    Args:
        volume: The scan.
        config: Of the model.

    Raises:
        LimitExceededError: The image would be too large in the resolution of the model.
    """
    image = to_canonical(volume, spacing=config.spacing)
    return Estimate(len(PatchGrid(image.geometry.spatial_shape, config.patch_size).boxes))
