"""ctkCollapsibleButton: a button as a header, with what it folds away below it."""

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Signal

from slicer_host.widgets.stand_in import StandIn, cpp_property

_NO_LIMIT = 16777215  # QWIDGETSIZE_MAX
_FOLDED_HEIGHT = 14  # below the header when shut: default of the property collapsedHeight
_WANTED = "visibilityToParent"  # dynamic property of a child: what the module asked for


class ctkCollapsibleButton(StandIn, QtWidgets.QAbstractButton):
    """Checked means open, as in CTK; children are hidden when it is shut.

    Opened again it shows only those that the module did not hide by itself.
    """

    contentsCollapsed = Signal(bool)

    def __init__(self, *args) -> None:
        self._is_folding = False
        text = args[0] if args and isinstance(args[0], str) else ""
        super().__init__(args[-1] if args and not isinstance(args[-1], str) else None)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self.setBackgroundRole(QtGui.QPalette.Window)
        self.toggled.connect(self._fold)

    collapsed = cpp_property(
        "bool", lambda self: not self.isChecked(), lambda self, value: self.setChecked(not value)
    )

    def sizeHint(self) -> QtCore.QSize:
        """Returns the size of the header, and of the contents when open."""
        header = QtCore.QSize(120, self._header_height() + _FOLDED_HEIGHT)
        return header if self.collapsed else header.expandedTo(super().sizeHint())

    def minimumSizeHint(self) -> QtCore.QSize:
        """Returns the smallest size; see ``sizeHint``."""
        header = QtCore.QSize(0, self._header_height() + _FOLDED_HEIGHT)
        return header if self.collapsed else header.expandedTo(super().minimumSizeHint())

    def hitButton(self, position) -> bool:
        """Only the header is a button."""
        return position.y() < self._header_height()

    def childEvent(self, event) -> None:
        """Watches a new child, and hides it while the button is shut."""
        child = event.child()
        if event.type() == QtCore.QEvent.ChildAdded and isinstance(child, QtWidgets.QWidget):
            child.installEventFilter(self)
            self._show_child(child)
        super().childEvent(event)

    def eventFilter(self, child, event) -> bool:
        """Remembers which children the module hides and shows."""
        if not self._is_folding and event.type() in (QtCore.QEvent.ShowToParent, QtCore.QEvent.HideToParent):
            child.setProperty(_WANTED, event.type() == QtCore.QEvent.ShowToParent)
            if self.collapsed:
                self._show_child(child)
        return super().eventFilter(child, event)

    def setVisible(self, visible: bool) -> None:
        """Shows or hides the button with its contents, which the module did not ask for one by one."""
        self._is_folding = True
        super().setVisible(visible)
        self._is_folding = False
        self._show_children()

    def paintEvent(self, _event) -> None:
        """Draws the header by the style of the application."""
        painter = QtGui.QPainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._header_height())
        option.state |= QtWidgets.QStyle.State_Sunken if self.isDown() else QtWidgets.QStyle.State_Raised
        style = self.style()
        style.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option, painter, self)
        side = self._header_height() // 2
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(side // 2, side // 2, side, side)
        shape = (
            QtWidgets.QStyle.PE_IndicatorArrowRight
            if self.collapsed
            else QtWidgets.QStyle.PE_IndicatorArrowDown
        )
        style.drawPrimitive(shape, arrow, painter, self)
        option.rect.setLeft(2 * side + 2)
        flags = QtCore.Qt.AlignLeft | QtCore.Qt.AlignVCenter | QtCore.Qt.TextShowMnemonic
        style.drawItemText(painter, option.rect, flags, self.palette, self.isEnabled(), self.text)

    def _fold(self, is_open: bool) -> None:
        self.setMaximumHeight(_NO_LIMIT if is_open else self._header_height() + _FOLDED_HEIGHT)
        self._show_children()
        self.updateGeometry()
        self.contentsCollapsed.emit(not is_open)

    def _show_children(self) -> None:
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                self._show_child(child)

    def _show_child(self, child) -> None:
        self._is_folding = True
        child.setVisible(not self.collapsed and child.property(_WANTED) is not False)
        child.setAttribute(
            QtCore.Qt.WA_WState_ExplicitShowHide, False
        )  # or Qt ignores the next wish to hide it
        self._is_folding = False

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 8
