"""What the panel needs to know of an engine, wherever it computes."""

from __future__ import annotations

from typing import Protocol

from textsegment.segmenter import ModelInfo, Segmenter


class EngineSource(Protocol):
    """A place where structures are found."""

    @property
    def model(self) -> ModelInfo | None:
        """What answers there; None if that is not known."""
        ...

    @property
    def status(self) -> str:
        """How it stands, one line that is true now."""
        ...

    @property
    def obstacle(self) -> str:
        """Why nothing can be segmented with it; empty if it can be tried."""
        ...

    @property
    def is_starting(self) -> bool:
        """Whether it was asked to start and has not answered yet."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether the obstacle goes away by itself."""
        ...

    @property
    def remedy(self) -> str:
        """What takes the obstacle away when the user clicks it; empty if nothing here does."""
        ...

    def remove_obstacle(self) -> None:
        """Do what ``remedy`` says; asks the user first."""
        ...

    def agreed_segmenter(self) -> Segmenter | None:
        """Return what finds the structures of the next run.

        Returns:
            None if the user did not agree, or if the engine has to start first.

        Raises:
            TextSegmentError: It cannot be used.
        """
        ...

    def look(self) -> None:
        """Find out how it stands, without waiting for it: the user turned to the panel, or a run failed."""
        ...

    def watch(self) -> None:
        """Notice what has changed; called several times a second."""
        ...

    def stop(self) -> None:
        """Let go of what it holds: the panel goes away."""
        ...
