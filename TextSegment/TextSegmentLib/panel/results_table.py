"""The table of a run: one row a structure, with its colour, state, volume and confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from TextSegmentLib.scene.rows import ResultRow, RowState

_KEY_ROLE = qt.Qt.UserRole + 1
_COLOR_ROLE = qt.Qt.UserRole + 2
_SQUARE = 12
_NAME, _STATE, _VOLUME, _CONFIDENCE = range(4)


class ResultsTable:
    """Shows the rows of a run in a flat tree view.

    Args:
        view: The ``QTreeView``.
        on_clicked: Called with the key of the row that was clicked, or chosen with Enter.
        on_selected: Called when other rows are selected.
    """

    def __init__(self, view: Any, on_clicked: Callable[[str], None], on_selected: Callable[[], None]) -> None:
        self._view = view
        self._on_clicked = on_clicked
        self._model = qt.QStandardItemModel(0, 4, view)
        self._model.setHorizontalHeaderLabels([_("Structure"), _("State"), _("ml"), _("Conf.")])
        self._model.horizontalHeaderItem(_CONFIDENCE).setToolTip(
            _("Mean probability inside: 0.5 is a guess, 1 is sure. It may be wrong all the same.")
        )
        view.setModel(self._model)
        header = view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_NAME, qt.QHeaderView.Stretch)
        for column in (_STATE, _VOLUME, _CONFIDENCE):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        view.connect("clicked(QModelIndex)", self._clicked)
        view.connect("activated(QModelIndex)", self._clicked)
        view.selectionModel().connect(
            "selectionChanged(QItemSelection,QItemSelection)", lambda *_selection: on_selected()
        )

    def show(self, rows: Sequence[ResultRow], *, is_over: bool) -> None:
        """Show these rows; the selection stays while the rows are those.

        Args:
            rows: One a structure.
            is_over: Whether nothing more will come for those that wait.
        """
        shown = [self._key(number) for number in range(self._model.rowCount())]
        if shown != [row.key for row in rows]:
            self._model.removeRows(0, self._model.rowCount())
            for row in rows:
                self._model.appendRow(_items(row))
        for number, row in enumerate(rows):
            self._update(number, row, is_over)

    @property
    def selected(self) -> list[str]:
        """Keys of the selected rows, from top to bottom."""
        selection = self._view.selectionModel()
        numbers = range(self._model.rowCount())
        return [self._key(n) for n in numbers if selection.isSelected(self._model.index(n, _NAME))]

    def _key(self, number: int) -> str:
        return self._model.item(number, _NAME).data(_KEY_ROLE)

    def _clicked(self, index: Any) -> None:
        self._on_clicked(self._key(index.row()))

    def _update(self, number: int, row: ResultRow, is_over: bool) -> None:
        texts = {
            _NAME: row.name,
            _STATE: _state(row, is_over),
            _VOLUME: "" if row.volume_ml is None else _millilitres(row.volume_ml),
            _CONFIDENCE: "" if row.confidence is None else f"{row.confidence:.2f}",
        }
        tool_tip = _tool_tip(row)
        for column, text in texts.items():
            item = self._model.item(number, column)
            if item.text() != text:
                item.setText(text)
        name = self._model.item(number, _NAME)
        color = _color(row)
        if name.data(_COLOR_ROLE) != color.name():
            name.setData(color.name(), _COLOR_ROLE)
            name.setIcon(_icon(color))
        for column in (_NAME, _STATE):
            item = self._model.item(number, column)
            if item.toolTip() != tool_tip:
                item.setToolTip(tool_tip)


def _items(row: ResultRow) -> list[Any]:
    name = qt.QStandardItem(row.name)
    name.setData(row.key, _KEY_ROLE)
    others = [qt.QStandardItem() for _column in (_STATE, _VOLUME, _CONFIDENCE)]
    for item in others[1:]:
        item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    return [name, *others]


def _color(row: ResultRow) -> Any:
    red, green, blue = (round(255 * part) for part in row.color)
    return qt.QColor(red, green, blue)


def _icon(color: Any) -> Any:
    pixmap = qt.QPixmap(_SQUARE, _SQUARE)
    pixmap.fill(color)
    icon = qt.QIcon(pixmap)
    icon.addPixmap(pixmap, qt.QIcon.Selected)  # else Qt tints it in the row that is selected
    return icon


def _state(row: ResultRow, is_over: bool) -> str:
    if row.accepted:
        return _("accepted")
    return {
        RowState.WAITING: _("not done") if is_over else _("waiting"),
        RowState.DONE: _("done"),
        RowState.NOT_FOUND: _("not found"),
        RowState.CUT_OFF: _("cut off"),
        RowState.EDITED: _("edited"),
        RowState.REMOVED: _("removed"),
    }[row.state]


def _millilitres(volume_ml: float) -> str:
    digits = 0 if volume_ml >= 100 else 1 if volume_ml >= 1 else 2
    return f"{volume_ml:.{digits}f}"


def _tool_tip(row: ResultRow) -> str:
    sentences = {
        RowState.WAITING: _("Not looked at yet."),
        RowState.DONE: _("Found."),
        RowState.NOT_FOUND: _("Not found in this image."),
        RowState.CUT_OFF: _("Cut off by the border of the image: the volume is that of the visible part."),
        RowState.EDITED: _("Edited since it was found."),
        RowState.REMOVED: _("Its segment was removed."),
    }
    lines = [f"<b>{escape(row.structure)}</b>", escape(sentences[row.state]), *map(escape, row.warnings)]
    return "<p>" + "<br>".join(dict.fromkeys(lines)) + "</p>"
