"""Comparison orders: one line of JSON by which Slicer has the engine's Python compare two segmentations."""

from __future__ import annotations

import json
from dataclasses import dataclass

from textsegment.segmentation import Segmentation
from textsegment.wire.export_order import segmentation_from_fields, segmentation_to_fields


@dataclass(frozen=True, eq=False)
class ComparisonOrder:
    """Two segmentations to compare.

    Attributes:
        result: Segmentation to judge.
        reference: Segmentation to judge it by.
        tolerance_mm: Tolerance of the surface Dice, in millimetres.
        page: Path of the page to write; None for none.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> found = FakeSegmenter().segment(phantom(), ["liver"])
        >>> again = ComparisonOrder.from_json(ComparisonOrder(found, found, 2.0).to_json())
        >>> again.tolerance_mm, [mask.structure for mask in again.reference]
        (2.0, ['liver'])
    """

    result: Segmentation
    reference: Segmentation
    tolerance_mm: float
    page: str | None = None

    def to_json(self) -> str:
        """Serialise the order as one line of JSON."""
        return json.dumps(
            {
                "result": segmentation_to_fields(self.result),
                "reference": segmentation_to_fields(self.reference),
                "tolerance_mm": self.tolerance_mm,
                "page": self.page,
            }
        )

    @classmethod
    def from_json(cls, line: str) -> ComparisonOrder:
        """Recreate the order from the output of ``to_json``."""
        given = json.loads(line)
        result, reference = (segmentation_from_fields(given[name]) for name in ("result", "reference"))
        return cls(result, reference, given["tolerance_mm"], given["page"])
