"""What counts as false: PythonQt asks containers whether they are empty.

A layout is empty if it holds nothing that is visible. ``slicer.util.findChildren`` leaves out what counts as
false, so such a layout is no member of ``childWidgetVariables``.
"""

from PySide6 import QtGui, QtWidgets

_ASKED = (QtWidgets.QLayout, QtWidgets.QMenu, QtGui.QTextDocument)


def install() -> None:
    """Makes empty layouts, menus and texts count as false."""
    for cls in _ASKED:
        cls.__bool__ = lambda self: not self.isEmpty()
