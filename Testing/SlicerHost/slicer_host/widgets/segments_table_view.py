"""qMRMLSegmentsTableView: Slicer's table of segments with eye, colour, opacity, name and status."""

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Signal

from slicer_host.widgets.scene_widget import qMRMLWidget
from slicer_host.widgets.segments_model import (
    COLOR,
    COLOR_ROLE,
    LAYER,
    NAME,
    OPACITY,
    SEGMENT_ID_ROLE,
    STATUS,
    VISIBILITY,
    VISIBILITY_ROLE,
    qMRMLSegmentsModel,
    qMRMLSortFilterSegmentsProxyModel,
)
from slicer_host.widgets.stand_in import cpp_property

_ICON = 14
_STATUS_COLORS = ("#bbbbbb", "#e8b339", "#3fa34d", "#d64541")


def _column(column: int):
    """Returns the property that shows a column."""

    def write(self, visible) -> None:
        self._table.setColumnHidden(column, not visible)

    return cpp_property("bool", lambda self: not self._table.isColumnHidden(column), write)


class qMRMLSegmentsTableView(qMRMLWidget):
    """The table; what the user clicks in the columns goes into the display node of the segmentation."""

    selectionChanged = Signal(object, object)

    visibilityColumnVisible = _column(VISIBILITY)
    colorColumnVisible = _column(COLOR)
    opacityColumnVisible = _column(OPACITY)
    layerColumnVisible = _column(LAYER)
    statusColumnVisible = _column(STATUS)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self._buttons = {}  # PySide deletes those that Python holds no reference to
        self._table = QtWidgets.QTableView()
        self._model = qMRMLSegmentsModel(self._table)
        self._proxy = qMRMLSortFilterSegmentsProxyModel(self._table)
        self._proxy.setSourceModel(self._model)
        self._table.setModel(self._proxy)
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        self._table.setEditTriggers(QtWidgets.QAbstractItemView.EditKeyPressed)
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(NAME, QtWidgets.QHeaderView.Stretch)
        header.setStretchLastSection(False)
        self._table.verticalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeToContents)
        self._table.verticalHeader().hide()
        self._table.setColumnHidden(LAYER, True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(self.selectionChanged.emit)
        self._proxy.rowsInserted.connect(self._rows_inserted)
        self._proxy.dataChanged.connect(self._data_changed)

    def tableWidget(self) -> QtWidgets.QTableView:
        """Returns Qt's table."""
        return self._table

    def setSegmentationNode(self, node) -> None:
        """Shows the segments of a node, or none."""
        self._node = node
        self._model._set_node(node)

    def segmentationNode(self):
        """Returns the node whose segments are shown."""
        return self._node

    def setHideSegments(self, segment_ids) -> None:
        """Leaves rows out of the table; the views still show the segments."""
        self._proxy.setHideSegments(segment_ids)

    def hideSegments(self) -> tuple[str, ...]:
        """Returns the segments that are left out."""
        return self._proxy.hideSegments()

    def displayedSegmentIDs(self) -> tuple[str, ...]:
        """Returns the segments of all rows."""
        rows = range(self._proxy.rowCount())
        return tuple(self._proxy.segmentIDFromIndex(self._proxy.index(row, 0)) for row in rows)

    segmentCount = cpp_property("int", lambda self: self._model.rowCount())

    def selectedSegmentIDs(self) -> tuple[str, ...]:
        """Returns the segments of the selected rows."""
        rows = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return tuple(self._proxy.segmentIDFromIndex(self._proxy.index(row, 0)) for row in rows)

    def setSelectedSegmentIDs(self, segment_ids) -> None:
        """Selects rows; the current row stays where it is, as in Slicer."""
        selection = self._table.selectionModel()
        flags = QtCore.QItemSelectionModel
        first = flags.ClearAndSelect | flags.Rows
        for segment_id in segment_ids:
            index = self._proxy.indexFromSegmentID(segment_id)
            if index.isValid():
                selection.select(index, first)
                first = flags.Select | flags.Rows
        if first == flags.ClearAndSelect | flags.Rows:
            selection.clearSelection()

    def clearSelection(self) -> None:
        """Selects nothing."""
        self._table.clearSelection()

    def setSelectionMode(self, mode: int) -> None:
        """Sets how many rows can be selected."""
        self._table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode(mode))

    def toggleSelectedSegmentsVisibility(self) -> None:
        """Shows or hides all selected segments, by what the first one is not."""
        display_node = self._node.GetDisplayNode() if self._node else None
        chosen = self.selectedSegmentIDs()
        if display_node is None or not chosen:
            return
        visible = not display_node.GetSegmentVisibility(chosen[0])
        for segment_id in chosen:
            display_node.SetSegmentVisibility(segment_id, visible)

    def setReadOnly(self, read_only: bool) -> None:
        """Lets the user write into cells, or not."""
        triggers = QtWidgets.QAbstractItemView
        self._table.setEditTriggers(triggers.NoEditTriggers if read_only else triggers.EditKeyPressed)

    def rowForSegmentID(self, segment_id: str) -> int:
        """Returns the row that shows a segment, -1 if none does."""
        return self._proxy.indexFromSegmentID(segment_id).row()

    def segmentIDForRow(self, row: int) -> str:
        """Returns the segment of a row."""
        return self._proxy.segmentIDFromIndex(self._proxy.index(row, 0))

    def _rows_inserted(self, _parent, first: int, last: int) -> None:
        """Puts buttons into these rows once the view has laid them out: by number, as Slicer does."""
        QtCore.QTimer.singleShot(0, lambda: self._set_buttons(first, last))

    def _set_buttons(self, first: int, last: int) -> None:
        for row in range(first, last + 1):
            for column, clicked in ((VISIBILITY, self._toggle_eye), (COLOR, None), (STATUS, None)):
                index = self._proxy.index(row, column)
                if index.isValid():
                    button = _Button(index, clicked)
                    self._buttons[index.data(SEGMENT_ID_ROLE), column] = button
                    self._table.setIndexWidget(index, button)

    def _data_changed(self, first, last, _roles) -> None:
        for row in range(first.row(), last.row() + 1):
            for column in (VISIBILITY, COLOR, STATUS):
                button = self._table.indexWidget(self._proxy.index(row, column))
                if button is not None:
                    button.update()

    def _toggle_eye(self, segment_id: str) -> None:
        display_node = self._node.GetDisplayNode() if self._node else None
        if display_node is not None:
            display_node.SetSegmentVisibility(segment_id, not display_node.GetSegmentVisibility(segment_id))


class _Button(QtWidgets.QToolButton):
    """Button in a cell; it belongs to the segment that the row showed when it was made."""

    def __init__(self, index, clicked) -> None:
        super().__init__()
        self.setAutoRaise(True)
        self.setFocusPolicy(QtCore.Qt.NoFocus)
        self.setIconSize(QtCore.QSize(_ICON, _ICON))
        self.setStyleSheet("QToolButton { padding: 0px; }")
        self._index = QtCore.QPersistentModelIndex(index)
        segment_id = index.data(SEGMENT_ID_ROLE)
        if clicked is not None:
            self.clicked.connect(lambda: clicked(segment_id))

    def paintEvent(self, event) -> None:
        super().paintEvent(event)
        if not self._index.isValid():
            return
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        place = QtCore.QRect(0, 0, _ICON, _ICON)
        place.moveCenter(self.rect.center())
        if self._index.column() == COLOR:
            painter.fillRect(place, self._index.data(COLOR_ROLE))
        elif self._index.column() == VISIBILITY:
            painter.setPen(QtGui.QPen(QtGui.QColor("#444444"), 1.5))
            painter.drawEllipse(place.adjusted(1, 4, -1, -4))
            if self._index.data(VISIBILITY_ROLE):
                painter.setBrush(QtGui.QColor("#444444"))
                painter.drawEllipse(place.center(), 2, 2)
        else:
            painter.setPen(QtCore.Qt.NoPen)
            painter.setBrush(QtGui.QColor(_STATUS_COLORS[self._index.data(SEGMENT_ID_ROLE + 3) or 0]))
            painter.drawEllipse(place.adjusted(2, 2, -2, -2))
        painter.end()
