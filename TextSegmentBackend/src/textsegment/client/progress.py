"""Progress reporting for a request to a server."""

from __future__ import annotations

from collections.abc import Callable

from textsegment.segmenter import Event, Progress

_LEAST_STEP = 0.002


class RequestProgress:
    """Combined progress of upload and engine, which never decreases.

    Args:
        emit: Callback for progress events.
        upload_share: Fraction of the remaining progress that an upload counts for.
    """

    def __init__(self, emit: Callable[[Event], None], upload_share: float) -> None:
        self._emit = emit
        self._upload_share = upload_share
        self._fraction = 0.0
        self._stage = ""
        self._upload_from = 0.0
        self._engine_from = 0.0

    def begin_upload(self) -> None:
        """Reserve a share of the remaining progress for an upload."""
        self._upload_from = self._fraction
        self._engine_from = self._fraction + self._upload_share * (1.0 - self._fraction)

    def uploaded(self, share: float) -> None:
        """Report the fraction of the volume that has been sent, 0 to 1."""
        fraction = self._upload_from + share * (self._engine_from - self._upload_from)
        if self._stage != "uploading" or share == 1.0 or fraction >= self._fraction + _LEAST_STEP:
            self.report(fraction, "uploading")

    def computed(self, progress: Progress) -> bool:
        """Report progress of the engine; return whether the job has advanced beyond its previous maximum."""
        before = self._fraction
        self.report(self._engine_from + progress.fraction * (1.0 - self._engine_from), progress.stage)
        return self._fraction >= before + _LEAST_STEP

    def report(self, fraction: float, stage: str) -> None:
        """Report a fraction of the whole, or the previous one if that was larger."""
        self._fraction = max(self._fraction, fraction)
        self._stage = stage
        self._emit(Progress(self._fraction, stage))
