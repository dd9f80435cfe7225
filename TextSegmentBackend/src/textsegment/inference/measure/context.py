"""What a job knows about its scan beside the masks that were asked for."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from textsegment.caution import Caution
from textsegment.inference.accumulate import ProbabilityBox
from textsegment.inference.features import PreparedScan
from textsegment.inference.image.grid import box_on
from textsegment.inference.measure.coarse import coarse_step
from textsegment.inference.measure.measurements import measure
from textsegment.inference.measure.shift import shift_agreement
from textsegment.inference.measure.surroundings import Surroundings, landmarks_in, parts_in
from textsegment.request import Request


class MaskContext:
    """Landmarks and parts by which the masks of a job are judged.

    They are decoded with the first group of prompts of the first job of a scan, and kept with it. A job that
    looks at a region only decodes none, since what it would find ends there, but uses those that are kept.

    Args:
        scan: Prepared scan of the job.
        request: Request of the job.
        offered: Prompts that the model offers in this modality.

    Attributes:
        step: Step of the coarse grid on which they are decoded.
        missing: Names of those that are still to be decoded.
    """

    def __init__(self, scan: PreparedScan, request: Request, offered: Collection[str]) -> None:
        self.step = coarse_step(scan.image.geometry.spacing)
        self._scan = scan
        self._region = request.effort.region
        modality = request.volume.modality
        self._parts = {p.text: parts_in(p.text, offered, modality) for p in request.prompts}
        # In the orientation for the spine, the network knows structures of the spine only.
        wanted = dict.fromkeys(landmarks_in(offered) if scan.image.orientation == "RAS" else ())
        wanted |= dict.fromkeys(part for parts in self._parts.values() for part in parts)
        self.missing = tuple(name for name in wanted if name not in scan.coarse) if not self._region else ()
        self._surroundings: Surroundings | None = None

    @property
    def midline_mm(self) -> float | None:
        """R coordinate of the midline of the body in millimetres; None if it is not known."""
        surroundings = self._look()
        if surroundings is None or math.isnan(surroundings.midline_mm):
            return None
        return surroundings.midline_mm

    @property
    def warnings(self) -> tuple[Caution, ...]:
        """What the landmarks tell about the whole image."""
        surroundings = self._look()
        is_upside_down = surroundings is not None and surroundings.is_upside_down
        return (Caution("upside_down"),) if is_upside_down else ()

    def add(self, found: dict[str, ProbabilityBox | None]) -> None:
        """Keep what was decoded on the coarse grid."""
        self._scan.coarse.update(found)
        self.missing = ()
        self._surroundings = None

    def measure(
        self, name: str, probability: ProbabilityBox | None, shifted: tuple[ProbabilityBox | None, ...]
    ) -> dict[str, Any]:
        """Measure a mask.

        Args:
            name: Name of the structure.
            probability: Its probabilities on the canonical grid; None if it was not found.
            shifted: Its probabilities on the shifted image; empty if there was no second computation.

        Returns:
            Fields of ``MaskStatistics``.
        """
        if probability is None:
            return {}
        geometry = self._scan.image.geometry
        within = None if self._region is None else box_on(geometry, self._scan.image.original, self._region)
        parts = self._parts.get(name, ())
        measured = measure(name, probability, geometry, self._look(), parts, self.step, within)
        if measured and shifted:
            measured["shift_agreement"] = shift_agreement(probability, shifted[0], within)
        return measured

    def _look(self) -> Surroundings | None:
        if self._surroundings is None and self._scan.coarse:
            self._surroundings = Surroundings(self._scan.coarse, self._scan.image.geometry, self.step)
        return self._surroundings
