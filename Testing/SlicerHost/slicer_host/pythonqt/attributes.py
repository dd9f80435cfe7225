"""C++ objects take no new attributes: a misspelt property is an error, not a new name."""

import sys

from PySide6 import QtCore

from slicer_host.pythonqt.classes import is_cpp


def install(classes) -> None:
    """Guards assignment to attributes of all these classes."""
    for cls in classes:
        cls.__setattr__ = _assign


def _assign(self, name: str, value) -> None:
    found = _look_up(type(self), name)
    if isinstance(found, QtCore.Property):
        found.fset(self, value)
    elif hasattr(type(found), "__set__"):
        found.__set__(self, value)
    elif is_cpp(type(self)) and not _inside_host():
        what = (
            "can not be overwritten"
            if found is not None
            else ("does not exist and creating new attributes on C++ objects is not allowed")
        )
        raise AttributeError(f"'{name}' of {type(self).__name__}: {what}")
    else:
        self.__dict__[name] = value


def _look_up(cls: type, name: str):
    return next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)


def _inside_host() -> bool:
    """Stand-ins keep their own state in attributes, as C++ keeps it in members."""
    return sys._getframe(2).f_globals.get("__name__", "").startswith("slicer_host.")
