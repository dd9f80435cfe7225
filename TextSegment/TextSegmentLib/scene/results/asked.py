"""Structures that runs have asked for, found or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textsegment.segmentation import MaskStatistics


@dataclass
class Asked:
    """Structure that was asked for, and what was found; its segment may be gone."""

    run_id: str
    structure: str
    modality: str
    statistics: MaskStatistics | None = None
    segment_id: str | None = None
    warnings: tuple[str, ...] = ()


class AskedStructures:
    """What was asked for in a segmentation, oldest first; one entry for each structure of a run."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []

    def __iter__(self) -> Iterator[Asked]:
        return iter(self._asked)

    def add(self, asked: Asked) -> None:
        """Register what was asked for; it takes the place of an entry for the same structure of the run."""
        for number, other in enumerate(self._asked):
            if (other.run_id, other.structure) == (asked.run_id, asked.structure):
                self._asked[number] = asked
                return
        self._asked.append(asked)

    def find(self, run_id: str, structure: str) -> Asked | None:
        """Return the entry for a structure of a run, or None."""
        same = (each for each in self._asked if each.run_id == run_id)
        return next((each for each in same if each.structure == structure), None)
