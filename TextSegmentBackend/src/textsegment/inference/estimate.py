"""Estimates of the time and memory that segmenting a scan takes, made before the network runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from textsegment.errors import CancelledError
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.image.canonical import to_canonical
from textsegment.inference.image.patches import PatchGrid
from textsegment.model.config import SATConfig
from textsegment.segmenter import CancelToken, Estimated, Event
from textsegment.volume import Volume


@dataclass(frozen=True)
class Estimate:
    """Estimated cost of segmenting a scan.

    Attributes:
        patches: Number of patches of the scan; the image network runs once on each.
        memory_bytes: Approximate peak memory of the engine in bytes; None if unknown.
        seconds: Approximate time that the image network takes on this computer; None if unknown.
    """

    patches: int
    memory_bytes: int | None = None
    seconds: float | None = None


def estimate(volume: Volume, config: SATConfig, segmenter: LocalSegmenter | None = None) -> Estimate:
    """Estimate the cost of segmenting a scan with a model.

    Args:
        volume: Scan to segment.
        config: Configuration of the model.
        segmenter: Segmenter with the model on its device, needed for time and memory; None if it is not
            loaded.

    Raises:
        LimitExceededError: The image would be too large at the resolution of the model.
    """
    structures = segmenter.info().structures.get(volume.modality, ()) if segmenter is not None else ()
    if segmenter is not None and structures:
        cancel, seen = CancelToken(), list[Estimated]()

        def on_event(event: Event) -> None:
            if isinstance(event, Estimated):
                seen.append(event)
                cancel.cancel()

        with suppress(CancelledError):
            segmenter.segment(volume, structures[:1], on_event=on_event, cancel=cancel)
        if seen:
            return Estimate(seen[0].patches, seen[0].memory_bytes, seen[0].seconds)
    image = to_canonical(volume, spacing=config.spacing)
    return Estimate(len(PatchGrid(image.geometry.spatial_shape, config.patch_size).boxes))
