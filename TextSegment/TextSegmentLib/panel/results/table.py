"""Slicer's segments table, extended by columns with the results of runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _
from textsegment.doubt import Verdict

from TextSegmentLib.panel.numbers import number
from TextSegmentLib.panel.results.order import (
    Key,
    RowOrder,
    Shown,
    by_confidence,
    by_doubt,
    by_name,
    by_volume,
)
from TextSegmentLib.panel.results.row_buttons import RowButtons
from TextSegmentLib.scene.results.rows import ResultRow, RowState
from TextSegmentLib.scene.segment.segments import segments_of

_STATE, _VOLUME, _CONFIDENCE = range(3)
_FEWEST_ROWS, _MOST_ROWS = 3, 12


class ResultsTable:
    """Shows all segments of a segmentation; visibility, color, opacity, filter and menu are Slicer's own.

    Args:
        table: The ``qMRMLSegmentsTableView``.
        on_centered: Called with the identifier of the segment that the user clicks or selects.
        on_selected: Called when the selection changes.
    """

    def __init__(
        self, table: Any, on_centered: Callable[[str], None], on_selected: Callable[[], None]
    ) -> None:
        self._table = table
        self._on_centered, self._on_selected = on_centered, on_selected
        table.statusColumnVisible = False  # our column says more, and names need the space
        self._view = table.tableWidget()
        # The view's model is a sort and filter proxy, which passes columns and texts on to Slicer's model.
        self._model = self._view.model()
        self._first = self._model.columnCount()
        self._model.insertColumns(self._first, 3)
        self._filled: dict[str, ResultRow | None] = {}
        self._rows: Sequence[ResultRow] = ()
        conf_tip = _("Mean probability inside: 0.5 is a guess, 1 is sure. It may be wrong all the same.")
        state_tip = _("What became of it: found, to be checked, cut off, edited, accepted.")
        for column, title, tip in (
            (_STATE, _("State"), state_tip + " " + _("Click: most doubtful first.")),
            (_VOLUME, _("ml"), _("Volume in millilitres.") + " " + _("Click: smallest first.")),
            (_CONFIDENCE, _("Conf."), conf_tip + " " + _("Click: least sure first.")),
        ):
            self._model.setHeaderData(self._first + column, qt.Qt.Horizontal, title)
            self._model.setHeaderData(self._first + column, qt.Qt.Horizontal, tip, qt.Qt.ToolTipRole)
        keys: dict[int, Key] = {
            self._model.sourceModel.nameColumn: by_name,
            self._first + _STATE: by_doubt,
            self._first + _VOLUME: by_volume,
            self._first + _CONFIDENCE: by_confidence,
        }
        self._order = RowOrder(table, keys, self._first + _STATE)
        self._buttons = RowButtons(table, lambda: self.show(table.segmentationNode(), self._rows))
        table.connect("selectionChanged(QItemSelection,QItemSelection)", self._selection_changed)
        self._view.connect("clicked(QModelIndex)", self._clicked)

    @property
    def view(self) -> Any:
        """The Qt table view, which has the focus while the user works in it."""
        return self._view

    def show(self, segmentation_node: Any, rows: Sequence[ResultRow]) -> None:
        """Show the segments of a node.

        Args:
            segmentation_node: Segmentation node to show; None to show nothing.
            rows: Result rows of the segments that runs have created.
        """
        if self._table.segmentationNode() is not segmentation_node:
            self._table.setSegmentationNode(segmentation_node)
        self._rows = rows
        known = {row.segment_id: row for row in rows if row.segment_id}
        before, self._filled = self._filled, {}
        for number_of_row in range(self._model.rowCount()):
            segment_id = self._table.segmentIDForRow(number_of_row)
            row = self._filled[segment_id] = known.get(segment_id)
            is_new = segment_id not in before or before[segment_id] != row
            if is_new or not self._is_filled(number_of_row, row):
                self._fill(number_of_row, row)
        self._order.show(_shown_of(segmentation_node, known))
        self._buttons.complete()
        self._fit()

    @property
    def selected(self) -> list[str]:
        """Identifiers of the selected segments."""
        return list(self._table.selectedSegmentIDs())

    def show_only(self, segment_ids: Collection[str] | None) -> None:
        """Leave out all other segments; None shows all of them."""
        node = self._table.segmentationNode()
        there = [] if node is None or segment_ids is None else node.GetSegmentation().GetSegmentIDs()
        hidden = [segment_id for segment_id in there if segment_id not in (segment_ids or ())]
        if list(self._table.hideSegments()) != hidden:
            self._table.setHideSegments(hidden)
            self.show(node, self._rows)  # what was hidden may have changed

    def select_next(self, segment_ids: Sequence[str]) -> None:
        """Select the first of the given segments below the current selection, or else the topmost one."""
        rows = {self._table.rowForSegmentID(segment_id): segment_id for segment_id in segment_ids}
        rows.pop(-1, None)  # filtered out
        last = max((self._table.rowForSegmentID(each) for each in self.selected), default=-1)
        below = [row for row in sorted(rows) if row > last] or sorted(rows)
        if below:
            self._view.selectRow(below[0])

    def _selection_changed(self, *_selections: Any) -> None:
        if self._buttons.is_at_work:  # it selects the same segments again
            return
        self._on_selected()
        chosen = self.selected
        # Center only on a selection by the user, not on one by a program or after a deletion.
        if len(chosen) == 1 and self._view.focus:
            self._on_centered(chosen[0])

    def _clicked(self, index: Any) -> None:
        self._on_centered(self._table.segmentIDForRow(index.row()))

    def _is_filled(self, number_of_row: int, row: ResultRow | None) -> bool:
        """Return whether a row has its texts: Slicer recreates rows, such as when an undo restores one."""
        text = self._model.index(number_of_row, self._first + _STATE).data()
        return (text or "") == ("" if row is None else _state(row))

    def _fill(self, number_of_row: int, row: ResultRow | None) -> None:
        texts = ("", "", "") if row is None else (_state(row), _volume(row), _confidence(row))
        tool_tip = "" if row is None else _tool_tip(row)
        for column, text in enumerate(texts):
            index = self._model.index(number_of_row, self._first + column)
            if index.data() != text:
                self._model.setData(index, text)
            if index.data(qt.Qt.ToolTipRole) != tool_tip:
                self._model.setData(index, tool_tip, qt.Qt.ToolTipRole)

    def _fit(self) -> None:
        """Fit the height of the table to its rows, within limits."""
        count = min(max(self._model.rowCount(), _FEWEST_ROWS), _MOST_ROWS)
        row = self._view.rowHeight(0) or self._view.verticalHeader().defaultSectionSize
        height = self._view.horizontalHeader().height + count * row + 2 * self._view.frameWidth
        self._table.minimumHeight = self._table.maximumHeight = height


def _shown_of(segmentation_node: Any, known: Mapping[str, ResultRow]) -> dict[str, Shown]:
    """Return what the table shows of each segment, in the order of the segments."""
    return {
        segment_id: Shown(segment.GetName(), known.get(segment_id))
        for segment_id, segment in segments_of(segmentation_node)
    }


def _state(row: ResultRow) -> str:
    if row.accepted:
        return _("accepted")
    if row.doubt:
        return _("check") if row.doubt.verdict is Verdict.CHECK else _("absent?")
    return {
        RowState.DONE: _("done"),
        RowState.CUT_OFF: _("cut off"),
        RowState.EDITED: _("edited"),
        RowState.CORRECTED: _("corrected"),
    }.get(row.state, "")


def _edited(row: ResultRow) -> str:
    if row.edited_slices is None:
        return _("Edited since it was found.")
    return _("Edited since it was found, slices: {count}.").format(count=row.edited_slices)


def _volume(row: ResultRow) -> str:
    if row.volume_ml is None:
        return ""
    return number(row.volume_ml, 0 if row.volume_ml >= 100 else 1 if row.volume_ml >= 1 else 2)


def _confidence(row: ResultRow) -> str:
    return "" if row.confidence is None else number(row.confidence, 2)


def _tool_tip(row: ResultRow) -> str:
    sentences = {
        RowState.DONE: _("Found."),
        RowState.CUT_OFF: _("Cut off by the border of the image: the volume is that of the visible part."),
        RowState.EDITED: _edited(row),
        RowState.CORRECTED: _("Corrected from what you drew; what you drew is in it unchanged."),
    }
    lines = [
        f"<b>{escape(row.structure)}</b>",
        escape(sentences.get(row.state, "")),
        escape(str(row.doubt)),
        escape(row.tidied),
        *map(escape, row.warnings),
    ]
    return "<p>" + "<br>".join(dict.fromkeys(filter(None, lines))) + "</p>"
