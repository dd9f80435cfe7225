"""Signals by their C++ signature: ``button.connect('clicked(bool)', f)``."""

import types

from PySide6 import QtCore

_connect_original, _disconnect_original = QtCore.QObject.connect, QtCore.QObject.disconnect


def install(classes) -> None:
    """Gives every QObject PythonQt's ``connect`` and ``disconnect``."""
    QtCore.QObject.connect, QtCore.QObject.disconnect = connect, disconnect
    for cls in classes:  # PySide6 answers `instance.connect` before it looks at the class
        if "__getattribute__" in cls.__dict__:
            cls.__getattribute__ = _with_ours(cls.__getattribute__)


def normalized(signature: str) -> str:
    """Returns a signature as Qt compares it: without spaces, const references as values."""
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()


def connect(sender, signal: str, *target) -> bool:
    """Connects a signal, given by its C++ signature, to a callable or to a receiver and its slot.

    Raises:
        ValueError: The sender has no such signal. In Slicer a line is printed, and nothing is ever called.
    """
    if isinstance(signal, QtCore.QObject):  # PySide6 itself, for a timer that fires once
        return bool(_connect_original(signal, *target))
    stand_in = _stand_in_signal(sender, signal)
    call = target[0] if len(target) == 1 else getattr(target[0], target[1].split("(")[0])
    if not callable(call):
        raise TypeError(f"{call!r} can't be called")
    if stand_in is not None:
        stand_in.connect(call)
        return True
    return bool(_connect_original(sender, QtCore.SIGNAL(_known(sender, signal)), call))


def disconnect(sender, signal: str, *target) -> bool:
    """Ends what ``connect`` began; returns False when there is nothing to end.

    Raises:
        ValueError: The sender has no such signal.
    """
    stand_in = _stand_in_signal(sender, signal)
    call = target[0] if len(target) == 1 else getattr(target[0], target[1].split("(")[0])
    if stand_in is None:
        return bool(_disconnect_original(sender, QtCore.SIGNAL(_known(sender, signal)), call))
    try:
        return bool(stand_in.disconnect(call))
    except (RuntimeError, TypeError):  # was not connected
        return False


def _stand_in_signal(sender, signal: str):
    """Signals with types that PySide6 does not know, of MRML, are declared by the stand-ins themselves."""
    name = getattr(type(sender), "CPP_SIGNALS", {}).get(normalized(signal))
    return None if name is None else getattr(sender, name)


def _known(sender, signal: str) -> str:
    signature = normalized(signal)
    if sender.metaObject().indexOfSignal(signature) < 0:
        raise ValueError(f"signal '{signal}' does not exist on {sender.className()}")
    return signature


def _with_ours(original):
    ours = {"connect": connect, "disconnect": disconnect}

    def get(self, name):
        return types.MethodType(ours[name], self) if name in ours else original(self, name)

    return get
