"""What a run shows: its state, and one row per structure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from textsegment.doubt import NO_DOUBT, Doubt
from textsegment.segmentation import MaskState, MaskStatistics


class RunState(StrEnum):
    """State of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RowState(StrEnum):
    """State of one structure of a run.

    ``edited`` means that a person has changed the segment, ``corrected`` that the engine has carried such a
    change to the rest of it, ``removed`` that it no longer exists.
    """

    WAITING = "waiting"
    DONE = "done"
    NOT_FOUND = "not_found"
    CUT_OFF = "cut_off"
    EDITED = "edited"
    CORRECTED = "corrected"
    REMOVED = "removed"


_TOY = "sat-demo"
_ROW_STATES = {
    MaskState.FOUND: RowState.DONE,
    MaskState.NOT_FOUND: RowState.NOT_FOUND,
    MaskState.CUT_OFF: RowState.CUT_OFF,
}


def state_of(statistics: MaskStatistics) -> RowState:
    """Return the state of a structure whose mask has these statistics."""
    return _ROW_STATES[statistics.state]


@dataclass(frozen=True)
class ResultRow:
    """Snapshot of one structure of a run; see ``Results.rows``.

    Attributes:
        key: Unique key of the row, which stays the same when its contents change.
        run_id: Identifier of the run that it belongs to.
        structure: Prompt that the model was asked with.
        modality: DICOM modality code of the image.
        name: Name of the segment, which the user may have changed; ``structure`` if there is no segment.
        color: Color of the segment: red, green, blue, each 0 to 1.
        state: State of the structure.
        segment_id: Identifier of its segment; None if there is none.
        volume_ml: Volume in millilitres; None if there is no mask.
        confidence: Mean probability under the mask, 0.5 to 1; None if there is no mask or it was edited.
        warnings: Sentences for the user.
        accepted: Whether the user marked the segment as completed.
        model: Name of the model that made the segment; empty if there is no segment.
        edited_slices: Number of slices that the user has edited; None if the segment was not edited, or if
            the result that it was edited from is not stored with the scene.
        doubt: What speaks against the mask as the model made it; nothing once it was accepted or edited.
        tidied: What tidying has removed; empty for nothing.
        tidied_ml: How much it has removed, in millilitres.
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
    edited_slices: int | None = None
    doubt: Doubt = NO_DOUBT
    tidied: str = ""
    tidied_ml: float = 0.0

    @property
    def is_as_found(self) -> bool:
        """Whether the segment is as the model made it, and nobody has accepted it."""
        return self.state in (RowState.DONE, RowState.CUT_OFF) and not self.accepted

    @property
    def is_toy(self) -> bool:
        """Whether the mask was made by the demo model."""
        return self.model == _TOY
