"""Which classes of PySide6 take part."""

from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets

MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
"""What Slicer's ``qt`` holds; QtSvg, QtXml and the rest are not wrapped there."""


_members = [
    getattr(module, name) for module in MODULES for name in dir(module)
]  # PySide6 makes a class when asked

ALL = list({item: None for item in _members if isinstance(item, type) and issubclass(item, QtCore.QObject)})
"""QObject and every class below it, of these modules."""


def is_cpp(cls: type) -> bool:
    """Says whether instances of this class are C++ objects in Slicer: Qt's own, and those we stand in for."""
    return cls.__module__.startswith(("PySide6.", "slicer_host."))
