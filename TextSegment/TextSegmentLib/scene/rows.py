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


_TOY = "sat-demo"
_ROW_STATES = {
    MaskState.FOUND: RowState.DONE,
    MaskState.NOT_FOUND: RowState.NOT_FOUND,
    MaskState.CUT_OFF: RowState.CUT_OFF,
}


def state_of(statistics: MaskStatistics) -> RowState:
    """Return how a structure stands whose mask has these figures."""
    return _ROW_STATES[statistics.state]


@dataclass(frozen=True)
class ResultRow:
    """One structure of a run, as it is at the moment; see ``Results.rows``.

    Attributes:
        key: Tells the row from others, and stays the same while it changes.
        run_id: The run that it belongs to.
        structure: The prompt.
        modality: DICOM code of the image.
        name: Of the segment, which the user may have changed; the structure if there is no segment.
        color: Of the segment, red, green, blue, 0 to 1.
        state: How it stands.
        segment_id: Its segment; None without one.
        volume_ml: Millilitres; None without a mask.
        confidence: Mean probability under the mask, 0.5 to 1; None without a mask, and once it was edited.
        warnings: Sentences for the user.
        accepted: Whether the user said that it is good.
        model: What made the segment; empty without one.
    """

    key: str
    run_id: str
    structure: str
    modality: str
    name: str
    color: tuple[float, float, float]
    state: RowState = RowState.WAITING
    segment_id: str | None = None
    volume_ml: float | None = None
    confidence: float | None = None
    warnings: tuple[str, ...] = ()
    accepted: bool = False
    model: str = ""

    @property
    def is_toy(self) -> bool:
        """Whether the mask was made by the model that only shows the way."""
        return self.model == _TOY
