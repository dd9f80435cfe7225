"""The item model of Slicer's table of segments: one row a segment, kept in step with its node."""

import slicer
from PySide6 import QtCore, QtGui
from PySide6.QtCore import Qt

from slicer_host.observation import Observer
from slicer_host.widgets.stand_in import StandIn, cpp_property

SEGMENT_ID_ROLE = Qt.ItemDataRole.UserRole + 1
VISIBILITY_ROLE = SEGMENT_ID_ROLE + 2
COLOR_ROLE = SEGMENT_ID_ROLE + 6
VISIBILITY, COLOR, OPACITY, NAME, LAYER, STATUS = range(6)
_HEADER = ("", "", "Opacity", "Name", "Layer", "")
_FIXED = (VISIBILITY, COLOR, LAYER, STATUS)


class qMRMLSegmentsModel(StandIn, QtGui.QStandardItemModel):
    """Columns that a script adds behind its own get items too, which it leaves alone afterwards."""

    nameColumn = cpp_property("int", lambda _self: NAME)
    visibilityColumn = cpp_property("int", lambda _self: VISIBILITY)

    def __init__(self, parent=None) -> None:
        super().__init__(0, len(_HEADER), parent)
        self._node, self._is_filling = None, False
        self._observer = Observer(self._update)
        self.setHorizontalHeaderLabels(list(_HEADER))
        self.itemChanged.connect(self._item_changed)

    def _set_node(self, node) -> None:
        segmentation, node_class = slicer.vtkSegmentation, slicer.vtkMRMLDisplayableNode
        events = (
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
            segmentation.SegmentsOrderModified,
            node_class.DisplayModifiedEvent,
        )
        self._node = node
        self._observer.watch(node, events)
        self.removeRows(0, self.rowCount())
        self._update()

    def _update(self) -> None:
        segmentation = self._node.GetSegmentation() if self._node else None
        ids = list(segmentation.GetSegmentIDs()) if segmentation else []
        self._is_filling = True
        for row in reversed(range(self.rowCount())):
            if self._id(row) not in ids:
                self.removeRow(row)
        for row, segment_id in enumerate(ids):
            held = [self._id(number) for number in range(self.rowCount())]
            if segment_id not in held:
                self.insertRow(row, [QtGui.QStandardItem() for _column in range(self.columnCount())])
            elif held.index(segment_id) != row:
                self.insertRow(row, self.takeRow(held.index(segment_id)))
            self._update_row(row, segment_id, segmentation.GetSegment(segment_id))
        self._is_filling = False

    def _update_row(self, row: int, segment_id: str, segment) -> None:
        display_node = self._node.GetDisplayNode()
        for column in range(self.columnCount()):
            item = self.item(row, column)
            item.setEditable(column not in _FIXED)
            item.setData(segment_id, SEGMENT_ID_ROLE)
        self.item(row, NAME).setText(segment.GetName())
        self.item(row, COLOR).setData(QtGui.QColor.fromRgbF(*segment.GetColor()), COLOR_ROLE)
        if display_node is not None:
            self.item(row, VISIBILITY).setData(
                bool(display_node.GetSegmentVisibility(segment_id)), VISIBILITY_ROLE
            )
            self.item(row, OPACITY).setText(f"{display_node.GetSegmentOpacity3D(segment_id):.2f}")
        status = slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment)
        self.item(row, STATUS).setData(status, SEGMENT_ID_ROLE + 3)

    def _item_changed(self, item) -> None:
        """The user has written into a cell."""
        segment_id = item.data(SEGMENT_ID_ROLE)
        segment = self._node.GetSegmentation().GetSegment(segment_id) if self._node and segment_id else None
        if self._is_filling or segment is None:
            return
        if item.column() == NAME and item.text() != segment.GetName():
            segment.SetName(item.text())
        elif item.column() == OPACITY:
            self._node.GetDisplayNode().SetSegmentOpacity3D(segment_id, float(item.text()))

    def _id(self, row: int) -> str:
        return self.item(row, 0).data(SEGMENT_ID_ROLE)


class qMRMLSortFilterSegmentsProxyModel(StandIn, QtCore.QSortFilterProxyModel):
    """Shows all rows but hidden ones."""

    _hidden: tuple[str, ...] = ()

    def setHideSegments(self, segment_ids) -> None:
        """Hides rows; by Qt's own filter, since PySide crashes in one that is written in Python."""
        self._hidden = tuple(segment_ids)
        names = "|".join(QtCore.QRegularExpression.escape(segment_id) for segment_id in self._hidden)
        self.setFilterRole(SEGMENT_ID_ROLE)
        self.setFilterKeyColumn(0)
        self.setFilterRegularExpression(f"^(?!(?:{names})$)" if names else "")

    def hideSegments(self) -> tuple[str, ...]:
        """Returns the segments of hidden rows."""
        return self._hidden

    def segmentIDFromIndex(self, index) -> str:
        """Returns the segment of a row."""
        return index.siblingAtColumn(0).data(SEGMENT_ID_ROLE) or ""

    def indexFromSegmentID(self, segment_id: str, column: int = 0):
        """Returns the place of a segment."""
        rows = range(self.rowCount())
        found = [row for row in rows if self.segmentIDFromIndex(self.index(row, 0)) == segment_id]
        return self.index(found[0], column) if found else QtCore.QModelIndex()
