"""Engine that a script passes to the panel."""

from __future__ import annotations

from textsegment.segmenter import Segmenter


class GivenEngine:
    """Engine source for a segmenter in Slicer's own process, for scripts and tests; see ``EngineSource``.

    Args:
        segmenter: Segmenter whose ``info`` returns at once.
    """

    obstacle = remedy = ""
    is_starting = is_busy = False

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self.model = segmenter.info()
        self.status = f"{self.model.model}, {self.model.device}"

    def agreed_segmenter(self) -> Segmenter:
        """Return the segmenter."""
        return self._segmenter

    def remove_obstacle(self) -> None:
        """Do nothing: there is never an obstacle."""

    def look(self) -> None:
        """Do nothing: the status never changes."""

    def watch(self) -> None:
        """Do nothing: the status never changes."""

    def stop(self) -> None:
        """Do nothing: no resource is held."""
