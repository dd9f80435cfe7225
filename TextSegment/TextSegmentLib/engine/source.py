"""What the panel needs to know of an engine, wherever it computes."""

from __future__ import annotations

from typing import Protocol

from textsegment.segmenter import ModelInfo, Segmenter


class EngineSource(Protocol):
    """A place where structures are found.

    Attributes:
        model: What answers there; None if that is not known.
        status: How it stands, one line that is true now.
        obstacle: Why nothing can be segmented with it; empty if it can be tried.
        is_starting: Whether it was asked to start and has not answered yet.
        is_busy: Whether the obstacle goes away by itself.
        remedy: What takes the obstacle away when the user clicks it; empty if nothing here does.
    """

    model: ModelInfo | None
    status: str
    obstacle: str
    is_starting: bool
    is_busy: bool
    remedy: str

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
