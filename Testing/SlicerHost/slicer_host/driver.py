"""What a test does with a panel: clicks, types, waits with the event loop running, takes pictures."""

import sys
import time

import slicer
from PySide6 import QtCore, QtTest, QtWidgets

_failures: list[BaseException] = []


def watch_exceptions() -> None:
    """Keeps exceptions of slots and timers, which Qt's event loop only prints; see ``take_exceptions``."""

    def keep(kind, error, traceback) -> None:
        _failures.append(error)
        sys.__excepthook__(kind, error, traceback)

    sys.excepthook = keep


def take_exceptions() -> list[BaseException]:
    """Returns the exceptions since the last call and forgets them."""
    failures, _failures[:] = list(_failures), []
    return failures


def click(widget: QtWidgets.QWidget) -> None:
    """Presses and releases the mouse in the middle of a widget, or on the header of a collapsible button.

    A check box takes clicks on box and text only, however wide it is.
    """
    height = min(widget.height, widget.fontMetrics().height() + 8)
    width = widget.minimumSizeHint().width() if isinstance(widget, QtWidgets.QCheckBox) else widget.width
    _require_visible(widget)
    position = QtCore.QPoint(width // 2, height // 2)
    QtTest.QTest.mouseClick(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)


def click_row(view: QtWidgets.QAbstractItemView, row: int, column: int = 0) -> None:
    """Clicks a cell of a table or tree, at its top level."""
    _require_visible(view)
    index = view.model().index(row, column)
    view.scrollTo(index)
    place = view.visualRect(index).center()
    QtTest.QTest.mouseClick(view.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)


def click_cell_widget(view: QtWidgets.QAbstractItemView, row: int, column: int) -> None:
    """Clicks what lies in a cell, such as the eye of Slicer's table of segments, once it is there."""
    index = view.model().index(row, column)
    wait_until(lambda: view.indexWidget(index) is not None, f"button in row {row}, column {column}")
    click(view.indexWidget(index))


def click_title(view: QtWidgets.QTableView, column: int) -> None:
    """Clicks the title of a column."""
    header = view.horizontalHeader()
    middle = header.sectionViewportPosition(column) + header.sectionSize(column) // 2
    place = QtCore.QPoint(middle, header.viewport().height // 2)
    QtTest.QTest.mouseClick(header.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)


def type_text(widget: QtWidgets.QWidget, text: str) -> None:
    """Types into a widget, after what it holds; the event loop runs after each key, as for a user."""
    _require_visible(widget)
    widget.setFocus()
    for letter in text:
        QtTest.QTest.keyClicks(widget, letter)
        run_events(0)


def press(widget: QtWidgets.QWidget, key: int, modifiers: int = QtCore.Qt.NoModifier) -> None:
    """Presses a key, as ``qt.Qt.Key_Return``, with modifiers, as ``qt.Qt.ControlModifier``."""
    QtTest.QTest.keyClick(widget, QtCore.Qt.Key(key), QtCore.Qt.KeyboardModifier(modifiers))


def wait_until(condition, what: str, timeout_s: float = 120.0) -> None:
    """Lets the event loop run until a condition holds.

    Args:
        condition: Called without arguments, again and again.
        what: The condition in words, for the error.
        timeout_s: After this long the wait fails.

    Raises:
        AssertionError: The condition did not come to hold, or a slot raised meanwhile.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert not _failures, f"while waiting for {what}: {_failures[0]!r}"
        assert time.monotonic() < deadline, f"no {what} within {timeout_s} s"
        run_events(10)


def run_events(milliseconds: int) -> None:
    """Runs Qt's event loop for a while, as the application does between the user's actions."""
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    slicer.app.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)


def fit_panel(panel: QtWidgets.QWidget, width: int = 400) -> None:
    """Makes a panel as wide as in Slicer, and as high as its contents need.

    Raises:
        AssertionError: The contents need more width, so that Slicer would show a scroll bar.
    """
    run_events(20)
    needed = panel.layout().minimumSize().width()
    assert needed <= width, f"the panel needs {needed} pixels, not {width}"
    panel.resize(width, panel.layout().sizeHint().height())
    run_events(20)


def _require_visible(widget: QtWidgets.QWidget) -> None:
    name = widget.objectName
    assert widget.isVisible(), f"{name} can't be seen, so a user could not click it"
    assert widget.isEnabled(), f"{name} is greyed, so a user could not click it"
