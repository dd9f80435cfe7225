"""The order of the rows in the results table, which a click on the title of a column chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import qt
from textsegment.doubt import Verdict

from TextSegmentLib.scene.results.rows import ResultRow, RowState

# Of the roles that Qt leaves to applications, far from those that Slicer's table uses.
_RANK_ROLE = qt.Qt.UserRole + 100
_LAST = 1 << 30
_DOUBT = {Verdict.PROBABLY_ABSENT: 0, Verdict.CHECK: 1}
_STATES = (RowState.CUT_OFF, RowState.DONE, RowState.EDITED, RowState.CORRECTED)


@dataclass(frozen=True)
class Shown:
    """Row of the table: the name of its segment, and the result if a run has made it."""

    name: str
    row: ResultRow | None


Key = Callable[[Shown], Any]


def by_name(shown: Shown) -> str:
    """Sort by name, whatever the case."""
    return shown.name.casefold()


def by_doubt(shown: Shown) -> tuple[int, ...] | None:
    """Sort what is most doubtful first, and what was accepted last; segments of no run have no place."""
    return None if shown.row is None else doubt_rank(shown.row)


def by_volume(shown: Shown) -> float | None:
    """Sort by volume."""
    return None if shown.row is None else shown.row.volume_ml


def by_confidence(shown: Shown) -> float | None:
    """Sort by mean probability."""
    return None if shown.row is None else shown.row.confidence


def doubt_rank(row: ResultRow) -> tuple[int, ...]:
    """Return what rows are compared by when the most doubtful one is to come first."""
    if row.doubt:
        return (_DOUBT[row.doubt.verdict], -len(row.doubt.reasons))
    if row.accepted:
        return (len(_DOUBT) + len(_STATES), 0)
    return (len(_DOUBT) + (_STATES.index(row.state) if row.state in _STATES else 0), 0)


class RowOrder:
    """Sorts the rows: the first click on a title ascending, the second one descending, the third not at all.

    Ranks of the rows are stored in the table, and Qt sorts by them: numbers are compared as numbers, and rows
    without a value come last in either direction.

    Args:
        table: The ``qMRMLSegmentsTableView``.
        keys: For each column that can be sorted by, what its rows are compared by.
        rank_column: Column whose cells hold the ranks.
    """

    def __init__(self, table: Any, keys: Mapping[int, Key], rank_column: int) -> None:
        self._table, self._keys, self._rank_column = table, keys, rank_column
        self._model = table.tableWidget().model()
        self._header = table.tableWidget().horizontalHeader()
        self._column: int | None = None
        self._is_descending = False
        self._shown: Mapping[str, Shown] = {}
        # Slicer puts its buttons into new rows, by row number, once control is back in the event loop.
        self._timer = qt.QTimer(table)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._sort)
        self._header.setSectionsClickable(True)
        self._header.connect("sectionClicked(int)", self._clicked)

    def show(self, shown: Mapping[str, Shown]) -> None:
        """Sort the rows anew, a moment later, if the user has chosen an order.

        Args:
            shown: What the rows show, by the identifier of their segment.
        """
        self._shown = shown
        if self._column is not None and not self._timer.active:
            self._timer.start()

    def _clicked(self, column: int) -> None:
        if column in self._keys:
            if column != self._column:
                self._column, self._is_descending = column, False
            elif self._is_descending:
                self._column = None
            else:
                self._is_descending = True
            self._timer.start()
        # In the text: Qt's own indicator takes its space in each column, and leaves none for names.
        for each in self._keys:
            arrow = (" ▾" if self._is_descending else " ▴") if each == self._column else ""
            title = str(self._model.headerData(each, qt.Qt.Horizontal) or "").rstrip(" ▾▴")
            self._model.setHeaderData(each, qt.Qt.Horizontal, title + arrow)

    def _sort(self) -> None:
        if self._column is None:
            self._model.sort(-1)
            return
        self._model.setDynamicSortFilter(False)  # rows stay where they are while their ranks are written
        ids = [self._table.segmentIDForRow(number) for number in range(self._model.rowCount())]
        ranks = self._ranks(self._keys[self._column])
        for number, segment_id in enumerate(ids):
            index = self._model.index(number, self._rank_column)
            self._model.setData(index, ranks.get(segment_id, _LAST), _RANK_ROLE)
        self._model.setSortRole(_RANK_ROLE)
        self._model.sort(self._rank_column)
        self._model.setDynamicSortFilter(True)

    def _ranks(self, key: Key) -> dict[str, int]:
        """Return the place of each segment that has a value; equal values keep the order of the segments."""
        valued = [(key(shown), segment_id) for segment_id, shown in self._shown.items()]
        known = [(value, segment_id) for value, segment_id in valued if value is not None]
        known.sort(key=lambda pair: pair[0], reverse=self._is_descending)
        return {segment_id: rank for rank, (_value, segment_id) in enumerate(known)}
