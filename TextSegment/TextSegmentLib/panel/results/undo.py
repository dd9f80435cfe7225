"""Undo and redo in the panel: one history of runs, strokes, corrections and deletions."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

from slicer.i18n import tr as _

from TextSegmentLib.background import Pump
from TextSegmentLib.history.history import Step
from TextSegmentLib.panel.results.section import ResultsSection
from TextSegmentLib.panel.run.section import RunSection
from TextSegmentLib.scene.results.results import Results

# After changing segments for this long, let the GUI redraw.
_STEP_S = 0.03


class Undo:
    """Takes steps back and does them again, without blocking the GUI.

    Args:
        ui: Widgets of the panel, by name.
        results: Section that shows the results whose history is used.
        section: Section that tells the user what was kept.
    """

    def __init__(self, ui: Any, results: ResultsSection, section: RunSection) -> None:
        self._ui, self._results, self._section = ui, results, section
        self._pump: Pump | None = None
        self._is_busy = False
        self._work: Generator[None, None, None] | None = None
        self.offer()

    def undo(self) -> None:
        """Take the last step of the results shown back, after looking for the user's strokes."""
        self._begin(self._undo)

    def redo(self) -> None:
        """Do again what was undone last."""
        self._begin(self._redo)

    def offer(self) -> None:
        """Enable the buttons for what is possible, and say in their tooltips what it is."""
        results = self._results.shown
        if results is not None and results.segmentation_node is None:  # it was deleted
            results = None
        history = results.history if results is not None else None
        last = history.last if history is not None else None
        following = history.following if history is not None else None
        is_there = results is not None and any(row.segment_id for row in self._results.rows)
        self._ui.undoButton.enabled = is_there or last is not None
        self._ui.undoButton.toolTip = _tip(_("Undo (Ctrl+Z): {step}."), last)
        self._ui.redoStepButton.enabled = following is not None
        self._ui.redoStepButton.toolTip = _tip(_("Do again (Ctrl+Y): {step}."), following)

    def stop(self) -> None:
        """Stop, because the panel is being destroyed."""
        if self._pump is not None:
            self._pump.stop()

    def _begin(self, work: Any) -> None:
        results = self._results.shown
        # A second click must not take another step back as well.
        if results is None or self._is_busy:
            return
        self._work = work(results)
        if self._go_on():
            self._pump = Pump(self._go_on)

    def _go_on(self) -> bool:
        self._is_busy = False  # in case the step fails
        assert self._work is not None
        try:
            next(self._work)
        except StopIteration:
            self._results.refresh()
            return False
        self._is_busy = True
        return True

    def _undo(self, results: Results) -> Generator[None, None, None]:
        yield from _settled(results)
        step = results.history.last
        if step is None:  # results of another session
            kept = yield from results.undo_in_steps()
        else:
            kept = yield from _in_steps(results.history.undo())
            results.take_back(step.run_id)
        self._tell(kept)

    def _redo(self, results: Results) -> Generator[None, None, None]:
        yield from _settled(results)
        self._tell((yield from _in_steps(results.history.redo())))

    def _tell(self, kept: tuple[str, ...]) -> None:
        if kept:
            text = _("Kept, because they were edited or accepted: {names}.")
            self._section.show_note(text.format(names=", ".join(kept)))


def _settled(results: Results) -> Generator[None, None, None]:
    while results.look():
        yield


def _in_steps(names: Any) -> Generator[None, None, tuple[str, ...]]:
    """Change one segment after the other, with pauses; return the names of those that were kept."""
    kept = []
    until = time.monotonic() + _STEP_S
    for name in names:
        if name:
            kept.append(name)
        if time.monotonic() > until:
            yield
            until = time.monotonic() + _STEP_S
    return tuple(kept)


def _tip(text: str, step: Step | None) -> str:
    names = {
        "run": _("what was segmented"),
        "stroke": _("what was drawn"),
        "correction": _("the correction"),
        "delete": _("what was deleted"),
        "raw": _("what tidying had removed"),
        "new": _("the new segment"),
    }
    return text.format(step=names[step.name]) if step is not None else _("Nothing was done yet.")
