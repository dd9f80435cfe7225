"""The run section: the Segment and Cancel buttons, progress, and messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import EngineLostError, ServerUnreachableError, TextSegmentError

from TextSegmentLib import settings
from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.panel.run.progress_text import progress_of, progress_of_correction
from TextSegmentLib.panel.theme import colors_of
from TextSegmentLib.scene.run.run import Run

_STEPS = 1000

Answer = tuple[str, Callable[[], object]]
"""Text of a clickable answer, and the function called when the user clicks it."""


class RunSection:
    """Shows what can be run, the progress of a run, and errors.

    Args:
        ui: Widgets of the panel, by name.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        ui.messageFrame.visible = False
        ui.messageCloseButton.connect("clicked()", self.clear_message)
        ui.messageLabel.connect("linkActivated(QString)", self._follow)
        self._answers: Sequence[Answer] = ()
        self.show_run(None)

    def offer(self, count: int, obstacle: str, is_worth_a_line: bool) -> None:
        """Update the Segment button.

        Args:
            count: Number of structures that would be segmented.
            obstacle: Reason why a run cannot start; empty if it can.
            is_worth_a_line: Whether to show the obstacle below the button.
        """
        text = _("Segment") if count < 2 else _("Segment {count} structures").format(count=count)
        self._ui.segmentButton.text = text
        self._ui.segmentButton.enabled = not obstacle
        self._ui.obstacleLabel.text = obstacle
        self._ui.obstacleLabel.visible = bool(obstacle) and is_worth_a_line
        self._ui.segmentButton.toolTip = obstacle or _("Segments what the line above asks for (Enter).")

    def show_run(self, run: Run | None) -> None:
        """Show the progress of a run; None if there is no run."""
        is_active = run is not None and run.is_active
        self._ui.segmentButton.visible = not is_active
        self._ui.cancelButton.visible = is_active
        self._ui.progressBar.visible = is_active
        self._ui.progressLabel.visible = run is not None
        if run is not None:
            self._ui.progressBar.value = round(run.fraction * _STEPS)
            self._ui.progressLabel.text = progress_of(run)

    def show_correction(self, run: CorrectionRun | None) -> None:
        """Show the progress of a correction; None, or one that is over, shows nothing."""
        is_active = run is not None and run.is_active
        self._ui.progressBar.visible = is_active
        self._ui.progressLabel.visible = is_active
        if run is not None and run.is_active:
            self._ui.progressBar.value = round(run.fraction * _STEPS)
            self._ui.progressLabel.text = progress_of_correction(run)

    def show_error(self, error: TextSegmentError, *sentences: str) -> None:
        """Show the message and hint of an error, followed by further sentences."""
        if (
            isinstance(error, ServerUnreachableError) and not settings.uses_server()
        ):  # there is no address here
            error = EngineLostError(
                _("The engine on this computer has stopped."), _("The next run starts it.")
            )
        color = colors_of(self._ui.messageLabel).problem
        more = map(escape, (error.hint, *sentences))
        self._show(f"<b style='color:{color}'>{escape(error.message)}</b>", *more)

    def show_note(self, *sentences: str) -> None:
        """Show a note to the user in place of the current message."""
        self._show(*map(escape, sentences))

    def add_note(self, *sentences: str) -> None:
        """Add sentences to the current message."""
        if sentences:
            shown = [self._ui.messageLabel.text] if self._ui.messageFrame.visible else []
            self._show(*shown, *map(escape, sentences), answers=self._answers)

    def ask(self, question: str, *answers: Answer) -> None:
        """Ask a question with clickable answers; the user is free to ignore it."""
        links = " · ".join(f"<a href='{n}'>{escape(text)}</a>" for n, (text, _does) in enumerate(answers))
        self._show(escape(question), links, answers=answers)

    def clear_message(self) -> None:
        """Remove the current message."""
        self._answers = ()
        self._ui.messageFrame.visible = False

    def _show(self, *lines: str, answers: Sequence[Answer] = ()) -> None:
        self._answers = answers
        self._ui.messageLabel.text = "<br>".join(line for line in lines if line)
        self._ui.messageFrame.visible = True

    def _follow(self, link: str) -> None:
        if link.isdecimal() and int(link) < len(self._answers):
            _text, does = self._answers[int(link)]
            does()
