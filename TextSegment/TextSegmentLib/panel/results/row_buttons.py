"""The buttons that Slicer's table puts into its rows: eyes and colors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


class RowButtons:
    """Sees to it that no row lacks its buttons.

    Slicer puts them into new rows by row number, once control is back in the event loop. If rows were added
    and removed before that, such as when a run replaces two segments, some rows get none.

    Args:
        table: The ``qMRMLSegmentsTableView``.
        on_changed: Called when the rows were made anew.
    """

    def __init__(self, table: Any, on_changed: Callable[[], None]) -> None:
        self._table, self._on_changed = table, on_changed
        self._view = table.tableWidget()
        self.is_at_work = False  # while it selects the same segments again
        self._timer = qt.QTimer(table)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._look)

    def complete(self) -> None:
        """Give rows the buttons that they lack, a moment later."""
        if not self._timer.active and not self.is_at_work:
            self._timer.start()

    def _look(self) -> None:
        model = self._view.model()
        column = model.sourceModel.visibilityColumn
        rows = range(model.rowCount())
        have = [self._view.indexWidget(model.index(row, column)) is not None for row in rows]
        if any(have) and not all(have):  # some versions of Slicer have no buttons at all
            self._make_rows_anew()

    def _make_rows_anew(self) -> None:
        """Hide all rows, and show them at once: then the numbers of the rows are right."""
        table, bar = self._table, self._view.verticalScrollBar()
        hidden, selected, scrolled = list(table.hideSegments()), list(table.selectedSegmentIDs()), bar.value
        self.is_at_work = True
        try:
            table.setHideSegments(list(table.segmentationNode().GetSegmentation().GetSegmentIDs()))
            table.setHideSegments(hidden)
            table.setSelectedSegmentIDs(selected)
            self._on_changed()
        finally:
            self.is_at_work = False
        bar.value = scrolled
