"""The results section: the table, and the actions on its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
import vtk

from TextSegmentLib.background import Pump
from TextSegmentLib.panel.comparison.compare_dialog import CompareDialog
from TextSegmentLib.panel.export.export_dialog import ExportDialog
from TextSegmentLib.panel.results.collect_box import CollectBox
from TextSegmentLib.panel.results.doubt_bar import DoubtBar
from TextSegmentLib.panel.results.navigation import center_views, open_editor
from TextSegmentLib.panel.results.note import ResultsNote
from TextSegmentLib.panel.results.table import ResultsTable
from TextSegmentLib.panel.shortcuts import Keys, bind_keys
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow

# Changes in quick succession, such as the strokes of a brush, are shown together.
_TOGETHER_MS = 100
_EVENTS = ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SourceRepresentationModified")


class ResultsSection:
    """Shows results and carries out the user's actions on them.

    Args:
        ui: Widgets of the panel, by name.
        on_redo: Called with the row whose structure is to be segmented again.
        on_check: Called with the rows that are to be checked thoroughly.

    Attributes:
        on_offered: Called whenever the actions that are possible may have changed.
        shown: Results that are currently shown, or None.
        export_dialog: Export dialog that is currently open, or None.
        compare_dialog: Dialog for comparisons that is currently open, or None.
    """

    def __init__(
        self,
        ui: Any,
        on_redo: Callable[[ResultRow], None],
        on_check: Callable[[Sequence[ResultRow]], None],
    ) -> None:
        self._ui = ui
        self._collect = CollectBox(ui)
        self._on_redo = on_redo
        self.on_offered: Callable[[], None] = lambda: None
        self.shown: Results | None = None
        self._rows: Sequence[ResultRow] = ()
        self._is_active = False
        self.export_dialog: ExportDialog | None = None
        self.compare_dialog: CompareDialog | None = None
        # Not VTKObservationMixin, which would keep the node and its segments alive.
        self._watched = vtk.vtkWeakReference()
        self._watch_tags: list[int] = []
        self._timer = qt.QTimer(ui.resultsTable)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TOGETHER_MS)
        self._timer.connect("timeout()", self.refresh)
        self._pump: Pump | None = None
        self._table = ResultsTable(ui.resultsTable, self._center, self._offer)
        self._doubt = DoubtBar(ui, self.select, on_check, self._table.show_only)
        self._note = ResultsNote(ui.resultsNoteLabel, on_redo, self._bring_back)
        self.bind_keys({"Space": self._toggle_eyes, "A": self._accept_and_go_on, "Del": self._delete})
        self.bind_keys({"N": self._doubt.select_next})
        # These are greyed or hidden by what they do: Qt would move the focus on, to a line of text.
        for button in (ui.applyButton, ui.applyHereButton, ui.takeButton, ui.discardButton):
            button.connect("clicked()", lambda: self._table.view.setFocus())
        ui.acceptButton.connect("clicked()", self._accept)
        ui.redoButton.connect("clicked()", self._redo)
        ui.deleteButton.connect("clicked()", self._delete)
        ui.editorButton.connect("clicked()", self._edit)
        ui.exportButton.connect("clicked()", self._export)
        ui.compareButton.connect("clicked()", self._compare)
        self.show(None)

    def bind_keys(self, keys: Keys) -> None:
        """Bind keys to functions while the table has the focus."""
        bind_keys(self._table.view, keys, qt.Qt.WidgetShortcut)

    def show(self, results: Results | None, *, is_active: bool = False) -> None:
        """Show results and update the actions.

        Args:
            results: Results to show; None to show nothing.
            is_active: Whether a run is still adding results.
        """
        self.shown, self._is_active = results, is_active
        node = results.segmentation_node if results else None
        rows = self._rows = results.rows if results else ()
        self._watch(node)
        self._ui.resultsButton.visible = results is not None
        self._table.show(node, rows)
        self._note.show(node, rows, is_active=is_active)
        self._ui.show3DButton.setSegmentationNode(node)
        self._offer()

    def follow(self, results: Results, *, is_active: bool) -> None:
        """Show the results of a run; observers notice new segments, so repeated calls cost nothing."""
        if results.segmentation_node is None:  # taken back; Slicer's box has gone to any other one by itself
            self._ui.outputSelector.setCurrentNode(None)
        if self.shown is not results or self._is_active != is_active:
            self.show(results, is_active=is_active)

    def refresh(self) -> None:
        """Show the current state of the segments, and check for edits in the background."""
        if self.shown is not None:
            self._show_again()
            if self._pump is None:
                self._pump = Pump(self._look)

    def stop(self) -> None:
        """Stop timers and observers, because the panel is being destroyed."""
        self._timer.stop()
        self._collect.stop()
        if self._pump is not None:
            self._pump.stop()
        self._watch(None)
        for dialog in (self.export_dialog, self.compare_dialog):
            if dialog is not None:
                dialog.stop()

    def _watch(self, segmentation_node: Any) -> None:
        """Observe changes of the segments; None stops observing."""
        watched = self._watched.Get()
        if watched is segmentation_node:
            return
        if watched is not None:
            for tag in self._watch_tags:
                watched.RemoveObserver(tag)
        self._watched.Set(segmentation_node)
        if segmentation_node is not None:
            events = [getattr(slicer.vtkSegmentation, event) for event in _EVENTS]
            events.append(segmentation_node.DisplayModifiedEvent)  # it may be hidden now
            self._watch_tags = [
                segmentation_node.AddObserver(event, self._segments_changed) for event in events
            ]

    def _look(self) -> bool:
        """Process the edits found so far; return whether the check is still running."""
        if self.shown is not None and self.shown.look():
            return True
        self._pump = None
        self._show_again()
        return False

    def _segments_changed(self, _caller: Any, _event: str) -> None:
        # Deferred until the caller has finished, which may be these results themselves.
        if not self._timer.active:  # a restart would keep postponing the refresh
            self._timer.start()

    def _show_again(self) -> None:
        self.show(self.shown, is_active=self._is_active)

    def _offer(self) -> None:
        """Enable the actions that are currently possible."""
        results, rows = self.shown, self._among_selected(self._rows)
        has_nodes = results is not None and None not in (results.segmentation_node, results.volume_node)
        has_image = has_nodes and not self._is_active
        is_there = results is not None and any(row.segment_id for row in self._rows)
        self._ui.acceptButton.enabled = any(row.segment_id and not row.accepted for row in rows)
        self._ui.deleteButton.enabled = any(row.segment_id for row in rows)
        self._ui.redoButton.enabled = has_image and len(rows) == 1
        self._ui.editorButton.enabled = is_there
        self._ui.exportButton.enabled = self._ui.compareButton.enabled = has_image
        self._doubt.show(self._rows, rows, can_run=has_image)
        self.on_offered()

    @property
    def rows(self) -> Sequence[ResultRow]:
        """Rows as last shown."""
        return self._rows

    @property
    def selected_ids(self) -> list[str]:
        """Identifiers of the selected segments, whoever made them."""
        return self._table.selected

    def select(self, segment_id: str) -> None:
        """Select a segment."""
        self._table.select_next([segment_id])

    @property
    def selected(self) -> list[ResultRow]:
        """Rows of the selected segments that were created by runs."""
        return self._among_selected(self.shown.rows) if self.shown is not None else []

    def _among_selected(self, rows: Sequence[ResultRow]) -> list[ResultRow]:
        chosen = set(self._table.selected)
        return [row for row in rows if row.segment_id in chosen]

    def _center(self, segment_id: str) -> None:
        node = self.shown.segmentation_node if self.shown is not None else None
        if node is not None and node.GetSegmentation().GetSegment(segment_id) is not None:
            center_views(node, segment_id)

    def _toggle_eyes(self) -> None:
        """Hide the selected segments, or show all of them if any is hidden."""
        node = self.shown.segmentation_node if self.shown is not None else None
        display_node = node.GetDisplayNode() if node is not None else None
        if display_node is not None:
            chosen = self._table.selected
            visible = not all(display_node.GetSegmentVisibility(segment_id) for segment_id in chosen)
            for segment_id in chosen:
                display_node.SetSegmentVisibility(segment_id, visible)

    def _accept_and_go_on(self) -> None:
        """Accept the selected segments, and select the next one that has not been accepted."""
        if self.shown is not None and self.selected:
            self._accept()
            left = [row.segment_id for row in self.shown.rows if row.segment_id and not row.accepted]
            self._table.select_next(left)

    def _accept(self) -> None:
        if self.shown is not None:
            for row in self.selected:
                self.shown.accept(row)
            self._collect.take(self.shown)
        self._show_again()

    def _delete(self) -> None:
        if self.shown is not None:
            for row in self.selected:
                self.shown.delete(row)
        self._show_again()

    def _bring_back(self, row: ResultRow) -> None:
        if self.shown is not None:
            self.shown.bring_back_raw(row)
        self._show_again()

    def _redo(self) -> None:
        self._on_redo(self.selected[0])

    def _edit(self) -> None:
        if self.shown is None:
            return
        with_segment = [row for row in self.selected or self.shown.rows if row.segment_id]
        segment_id = with_segment[0].segment_id if with_segment else None
        open_editor(self.shown.segmentation_node, segment_id, self.shown.volume_node)

    def _export(self) -> None:
        if self.shown is None:
            return
        self.export_dialog = ExportDialog(
            self._ui.resultsTable, self.shown.segmentation_node, self.shown.volume_node
        )
        self.export_dialog.window.connect("finished(int)", self._export_closed)
        self.export_dialog.open()

    def _export_closed(self, _result: int) -> None:
        self.export_dialog = None  # the dialog keeps references to nodes

    def _compare(self) -> None:
        if self.shown is None:
            return
        self.compare_dialog = CompareDialog(
            self._ui.resultsTable, self.shown.segmentation_node, self.shown.volume_node
        )
        self.compare_dialog.window.connect("finished(int)", self._compare_closed)
        self.compare_dialog.open()

    def _compare_closed(self, _result: int) -> None:
        self.compare_dialog = None  # the dialog keeps references to nodes
