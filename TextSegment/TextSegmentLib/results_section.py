"""The results of the last run: the table, and what can be done with its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError

from TextSegmentLib.export_dialog import ExportDialog
from TextSegmentLib.navigation import center_views, open_editor
from TextSegmentLib.results_table import ResultsTable
from TextSegmentLib.rows import ResultRow, RowState
from TextSegmentLib.run import Run


class ResultsSection:
    """Shows a run and passes on what the user decides about it.

    Args:
        ui: Widgets of the panel by name.
        on_restarted: Called when the run looks for a structure again.
        on_error: Called when something cannot be done.
        on_note: Called with a sentence for the user.

    Attributes:
        export_dialog: The one that was opened last.
    """

    def __init__(
        self,
        ui: Any,
        on_restarted: Callable[[Run], None],
        on_error: Callable[[TextSegmentError], None],
        on_note: Callable[[str], None],
    ) -> None:
        self._ui = ui
        self._on_restarted = on_restarted
        self._on_error = on_error
        self._on_note = on_note
        self._run: Run | None = None
        self.export_dialog: ExportDialog | None = None
        self._timer = qt.QTimer(ui.resultsTable)
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.refresh)
        self._table = ResultsTable(ui.resultsTable, self._center, self._offer)
        ui.acceptButton.connect("clicked()", self._accept)
        ui.redoButton.connect("clicked()", self._redo)
        ui.deleteButton.connect("clicked()", self._delete)
        ui.undoButton.connect("clicked()", self._undo)
        ui.editorButton.connect("clicked()", self._edit)
        ui.exportButton.connect("clicked()", self._export)
        self.show(None)

    def show(self, run: Run | None) -> None:
        """Show how a run stands."""
        self._run = run
        self._ui.resultsButton.visible = run is not None
        self._table.show(run.rows if run else [], is_over=run is None or not run.is_active)
        self._ui.show3DButton.setSegmentationNode(run.segmentation_node if run else None)
        self._offer()

    def refresh(self) -> None:
        """Notice what others have removed."""
        if self._run is not None:
            self._run.refresh()
            self.show(self._run)

    def refresh_soon(self) -> None:
        """Notice it when those who are at it have ended: a segment may be removed by this run itself."""
        self._timer.start()

    def stop(self) -> None:
        """Do nothing more: the panel goes away."""
        self._timer.stop()
        if self.export_dialog is not None:
            self.export_dialog.stop()

    def _offer(self) -> None:
        """Enable what can be done now."""
        run, rows = self._run, self._selected()
        is_idle = run is not None and not run.is_active and run.segmentation_node is not None
        has_segment = any(row.segment_id for row in rows)
        self._ui.acceptButton.enabled = any(row.segment_id and not row.accepted for row in rows)
        self._ui.deleteButton.enabled = has_segment
        self._ui.redoButton.enabled = is_idle and run.volume_node is not None and len(rows) == 1
        self._ui.undoButton.enabled = run is not None and any(row.segment_id for row in run.rows)
        self._ui.editorButton.enabled = run is not None and any(row.segment_id for row in run.rows)
        self._ui.exportButton.enabled = is_idle and run.volume_node is not None

    def _selected(self) -> list[ResultRow]:
        if self._run is None:
            return []
        names = set(self._table.selected)
        return [row for row in self._run.rows if row.structure in names]

    def _center(self, structure: str) -> None:
        row = next(row for row in self._run.rows if row.structure == structure)
        if row.segment_id and self._run.segmentation_node is not None:
            center_views(self._run.segmentation_node, row.segment_id)

    def _accept(self) -> None:
        for row in self._selected():
            self._run.accept(row.structure)
        self.show(self._run)

    def _delete(self) -> None:
        for row in self._selected():
            if row.state is not RowState.WAITING:
                self._run.delete(row.structure)
        self.show(self._run)

    def _redo(self) -> None:
        try:
            self._run.redo(self._selected()[0].structure)
        except TextSegmentError as error:
            self._on_error(error)
        else:
            self._on_restarted(self._run)

    def _undo(self) -> None:
        kept = self._run.undo()
        if kept:
            self._on_note(
                _("Kept, because they were edited or accepted: {names}.").format(names=", ".join(kept))
            )
        self.show(self._run)

    def _edit(self) -> None:
        with_segment = [row for row in self._selected() or self._run.rows if row.segment_id]
        segment_id = with_segment[0].segment_id if with_segment else None
        open_editor(self._run.segmentation_node, segment_id, self._run.volume_node)

    def _export(self) -> None:
        self.export_dialog = ExportDialog(
            self._ui.resultsTable, self._run.segmentation_node, self._run.volume_node
        )
        self.export_dialog.open()
