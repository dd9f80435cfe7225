"""An engine that a script hands to the panel."""

from __future__ import annotations

from textsegment.segmenter import Segmenter


class GivenEngine:
    """A segmenter in Slicer's own process, for scripts and tests; see ``EngineSource``.

    Args:
        segmenter: Answers ``info`` at once.
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
        """There is none."""

    def look(self) -> None:
        """Nothing changes."""

    def watch(self) -> None:
        """Nothing changes."""

    def stop(self) -> None:
        """Nothing is held."""
