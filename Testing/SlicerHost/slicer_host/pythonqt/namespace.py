"""The module ``qt``: the names that PythonQt exposes in Slicer."""

import re
import types

from PySide6 import QtCore, QtWidgets

from slicer_host.pythonqt.classes import MODULES

NOT_EXPOSED = re.compile(
    r"q[A-Z_].*|Q_.*|QT_.*|SIGNAL|SLOT|Signal|SignalInstance|Slot|Property|ClassInfo|PyClassProperty|Meta\w+|loadUiType"
    r"|QAccess\w+|QRhi\w*|QShader\w*|QHttp\w+|QRest\w+|QCbor\w+|QMatrix\dx\d|QVector\dDList|Q\w+Permission|QPermission"
    r"|QXml\w+|QString(?:Converter|Decoder|Encoder)\w*|QEnum|QFlag|QGeneric\w+|QMetaObject|QModelRoleData\w*"
    r"|QAbstractEventDispatcher|QAbstractNativeEventFilter|QAbstractFileIconProvider|QKeyCombination|QPluginLoader"
    r"|QVersionNumber|QTreeWidgetItemIterator|QColormap|QColorConstants|QPointerEvent|QSinglePointEvent|QPointingDevice\w*"
    r"|QInputDevice|QEventPoint|QPageRanges|QRangeModel|QIODeviceBase|QDirListing\w*|QNativeInterface|QPoint(?:F)?List"
    r"|QIntList|QNetworkInformation|QNetworkRequestFactory|QSemaphoreReleaser|QPainterStateGuard|QOverrideCursorGuard"
)
"""Names of PySide6 that Slicer's ``qt`` lacks, compared with what PythonQt registers for Qt 5.15."""

_single_shot_of_qt = QtCore.QTimer.singleShot  # before properties hide it


def make() -> types.ModuleType:
    """Returns the module, with what Slicer's has and PySide6 writes otherwise."""
    from slicer_host.pythonqt.ui_loader import QUiLoader

    qt = types.ModuleType("qt")
    for module in MODULES:
        for name in dir(module):
            if not name.startswith("_") and not NOT_EXPOSED.fullmatch(name):
                setattr(qt, name, getattr(module, name))
    for cls in (QtWidgets.QDialog, QtWidgets.QMenu, QtCore.QEventLoop, QtWidgets.QApplication):
        cls.exec_ = cls.exec
    QtCore.QTimer.singleShot = _SingleShot()
    qt.QUiLoader = QUiLoader
    return qt


class _SingleShot:
    """``QTimer.singleShot(ms, f)`` is a function of the class, ``timer.singleShot`` a property of a timer."""

    def __get__(self, timer, owner=None):
        return _start_single_shot if timer is None else timer.isSingleShot()

    def __set__(self, timer, value) -> None:
        timer.setSingleShot(bool(value))


def _start_single_shot(msec, target, *slot) -> None:
    """PythonQt takes a callable, or a receiver and the signature of its slot."""
    _single_shot_of_qt(int(msec), target if not slot else getattr(target, slot[0].split("(")[0]))
