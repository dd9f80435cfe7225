"""Interface through which the panel uses an engine, wherever it computes."""

from __future__ import annotations

from typing import Protocol

from textsegment.segmenter import ModelInfo, Segmenter


class EngineSource(Protocol):
    """Engine that the panel can use: on this computer, on a server, or provided by a script."""

    @property
    def model(self) -> ModelInfo | None:
        """Model of the engine; None if it is not known."""
        ...

    @property
    def status(self) -> str:
        """Current status, as one line for the user."""
        ...

    @property
    def obstacle(self) -> str:
        """Reason why the engine cannot be used now, for the user; empty if there is none."""
        ...

    @property
    def is_starting(self) -> bool:
        """Whether the engine was asked to start and has not answered yet."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether the obstacle will go away by itself."""
        ...

    @property
    def remedy(self) -> str:
        """Label of the action that removes the obstacle; empty if there is no such action."""
        ...

    def remove_obstacle(self) -> None:
        """Carry out the action that ``remedy`` names, after asking the user."""
        ...

    def agreed_segmenter(self) -> Segmenter | None:
        """Return the segmenter for the next run.

        Returns:
            The segmenter; None if the user did not agree, or if the engine has to start first.

        Raises:
            TextSegmentError: The engine cannot be used.
        """
        ...

    def look(self) -> None:
        """Refresh the status without blocking; called when the user opens the panel, or a run has failed."""
        ...

    def watch(self) -> None:
        """Take note of changes; called several times a second."""
        ...

    def stop(self) -> None:
        """Release all resources; called when the panel is destroyed."""
        ...
