"""What a run shows of itself: its state, and a row a structure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from textsegment.segmentation import MaskState, MaskStatistics


class RunState(StrEnum):
    """How a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RowState(StrEnum):
    """How one structure of a run stands.

    ``edited``: a person has changed the segment; ``removed``: it is there no more.
    """

    WAITING = "waiting"
    DONE = "done"
    NOT_FOUND = "not_found"
    CUT_OFF = "cut_off"
    EDITED = "edited"
    REMOVED = "removed"


_ROW_STATES = {
    MaskState.FOUND: RowState.DONE,
    MaskState.NOT_FOUND: RowState.NOT_FOUND,
    MaskState.CUT_OFF: RowState.CUT_OFF,
}


def state_of(statistics: MaskStatistics) -> RowState:
    """Return how a structure stands whose mask has these figures."""
    return _ROW_STATES[statistics.state]


@dataclass
class ResultRow:
    """One structure of a run.

    Attributes:
        structure: The prompt.
        state: How it stands.
        segment_id: Its segment; None without one.
        volume_ml: Millilitres; None without a mask.
        confidence: Mean probability under the mask, 0.5 to 1; None without a mask.
        warnings: Sentences for the user.
        accepted: Whether the user said that it is good.
    """

    structure: str
    state: RowState = RowState.WAITING
    segment_id: str | None = None
    volume_ml: float | None = None
    confidence: float | None = None
    warnings: tuple[str, ...] = ()
    accepted: bool = False

    def wait(self) -> None:
        """Forget the result: another one is on its way."""
        self.state, self.segment_id, self.accepted = RowState.WAITING, None, False
        self.volume_ml, self.confidence, self.warnings = None, None, ()

    def show(self, statistics: MaskStatistics, segment_id: str | None, warnings: tuple[str, ...]) -> None:
        """Take a result."""
        self.segment_id, self.warnings, self.state = segment_id, warnings, state_of(statistics)
        if not statistics.is_empty:
            self.volume_ml, self.confidence = statistics.volume_ml, statistics.mean_confidence

    def edit(self, volume_ml: float) -> None:
        """Say that a person has changed the segment."""
        self.state, self.volume_ml, self.confidence = RowState.EDITED, volume_ml, None

    def lose(self) -> None:
        """Say that the segment is gone."""
        self.state, self.segment_id, self.accepted = RowState.REMOVED, None, False
