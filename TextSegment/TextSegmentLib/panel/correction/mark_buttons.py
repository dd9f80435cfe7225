"""The buttons that place points and a box in the views."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import vtk

from TextSegmentLib.correction.marks import Marks, stop_placing


class MarkButtons:
    """Lets the user click points inside and outside of a structure, and draw a box.

    Args:
        ui: Widgets of the panel, by name.
        marks: Returns the marks of the selected segment; None if none is selected.
        put_down: Puts the current tool of the editor down, which would get the clicks.
        on_changed: Called when a point or a box was placed or removed.
    """

    def __init__(
        self,
        ui: Any,
        marks: Callable[[], Marks | None],
        put_down: Callable[[], None],
        on_changed: Callable[[], None],
    ) -> None:
        self._marks, self._put_down, self._on_changed = marks, put_down, on_changed
        self._shown_for = ""
        self._clear_button = ui.clearMarksButton
        self._buttons = (ui.insideButton, ui.outsideButton, ui.boxButton)
        ui.insideButton.connect("clicked()", lambda: self._toggle(ui.insideButton, Marks.place_inside))
        ui.outsideButton.connect("clicked()", lambda: self._toggle(ui.outsideButton, Marks.place_outside))
        ui.boxButton.connect("clicked()", lambda: self._toggle(ui.boxButton, Marks.place_box))
        ui.clearMarksButton.connect("clicked()", self._clear)

    def enable(self, enabled: bool) -> None:
        """Enable or disable the buttons, and show the marks of the segment that is selected now."""
        for button in (*self._buttons, self._clear_button):
            button.enabled = enabled
        marks = self._marks()
        if marks is not None and marks.segment_id != self._shown_for:
            self._shown_for = marks.segment_id
            marks.show_alone()

    def stop(self) -> None:
        """End the placing."""
        if any(button.checked for button in self._buttons):
            for button in self._buttons:
                button.checked = False
            stop_placing()

    def _toggle(self, button: Any, place: Callable[[Marks], Any]) -> None:
        marks, is_wanted = self._marks(), button.checked
        self.stop()
        if is_wanted and marks is not None:
            self._put_down()
            button.checked = True
            self._watch(place(marks))

    def _clear(self) -> None:
        marks = self._marks()
        if marks is not None:
            self.stop()
            marks.clear()
            self._on_changed()

    def _watch(self, node: Any) -> None:
        """Notice when the user places points; the node does not keep the panel alive."""
        buttons = weakref.ref(self)

        def changed(_caller: Any, _event: str) -> None:
            found = buttons()
            if found is not None:
                found._on_changed()

        for event in (vtk.vtkCommand.ModifiedEvent, node.PointPositionDefinedEvent, node.PointRemovedEvent):
            node.AddObserver(event, changed)
