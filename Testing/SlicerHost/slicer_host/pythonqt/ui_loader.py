"""``qt.QUiLoader`` that knows the stand-ins for the widgets of CTK and Slicer."""

import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from slicer_host.pythonqt import signals

STAND_INS: dict[str, type] = {}
"""Class name in a .ui file → stand-in; the packages of stand-ins enter theirs."""


class QUiLoader(QtUiTools.QUiLoader):
    """Makes the widgets of a .ui file."""

    def createWidget(self, class_name: str, parent=None, name: str = ""):
        """Makes one widget.

        Raises:
            RuntimeError: Neither Qt nor a stand-in has this class. Slicer would quietly make its base class.
        """
        if class_name in STAND_INS:
            widget = STAND_INS[class_name](parent)
            widget.objectName = name
            return widget
        widget = super().createWidget(class_name, parent, name)
        if widget is None:
            raise RuntimeError(f"no stand-in for {class_name} ({name})")
        return widget

    def load(self, device, parent=None):
        """Makes the tree of widgets in an open file.

        Connections with stand-ins are made here: PySide6 cannot declare signals and slots with types of MRML.
        """
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        connections = _take_connections(tree)
        flags = _take_flags(tree)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree, encoding="utf-8"))
        buffer.open(QtCore.QIODevice.ReadOnly)
        root = super().load(buffer, parent)
        for name, flag, value in flags:
            setattr(_find(root, name), flag, value)
        for sender, signal, receiver, slot in connections:
            signals.connect(_find(root, sender), signal, _slot(_find(root, receiver), slot))
        return root


def _take_connections(tree) -> list[tuple[str, ...]]:
    """Removes the connections that touch a stand-in and returns (sender, signal, receiver, slot) of each."""
    classes = {widget.get("name"): widget.get("class") for widget in tree.iter("widget")}
    taken = []
    for connections in tree.iter("connections"):
        for connection in list(connections):
            parts = tuple(connection.findtext(part) for part in ("sender", "signal", "receiver", "slot"))
            if STAND_INS.keys() & {classes.get(parts[0]), classes.get(parts[2])}:
                connections.remove(connection)
                taken.append(parts)
    return taken


def _take_flags(tree) -> list[tuple[str, str, int]]:
    """Removes the stand-ins' properties that are sets of flags; returns (widget, property, value) of each."""
    taken = []
    for widget in tree.iter("widget"):
        cls = STAND_INS.get(widget.get("class"))
        for prop in list(widget.findall("property")):
            words = prop.findtext("set")
            if cls is not None and words and hasattr(cls, words.split("|")[0].split("::")[-1]):
                widget.remove(prop)
                values = [getattr(cls, word.split("::")[-1]) for word in words.split("|")]
                taken.append((widget.get("name"), prop.get("name"), sum(values)))
    return taken


def _find(root, name: str):
    found = root if root.objectName == name else root.findChild(QtWidgets.QWidget, name)
    if found is None:
        raise RuntimeError(f"the .ui file connects {name}, which it does not have")
    return found


def _slot(receiver, signature: str):
    name = signature.split("(")[0]
    slots = getattr(type(receiver), "CPP_SLOTS", ())
    if signals.normalized(signature) not in slots and receiver.metaObject().indexOfSlot(signature) < 0:
        raise ValueError(f"slot '{signature}' does not exist on {receiver.className()}")
    return getattr(receiver, name)
