"""What every stand-in obeys: it has no member that the real class lacks."""

from typing import ClassVar

from PySide6 import QtCore

from slicer_host.pythonqt.conversion import to_property_type
from slicer_host.widgets.cpp_members import CPP_MEMBERS


def cpp_property(type_name: str, read, write=None) -> QtCore.Property:
    """Returns a property of a stand-in, for Python, .ui files and Qt alike.

    Args:
        type_name: ``bool``, ``int``, ``QString`` or ``QStringList``.
        read: Called with the object.
        write: Called with the object and the value as this type; None to refuse.
    """

    def convert_and_write(self, value) -> None:
        if write is None:
            raise AttributeError(f"property of {type(self).__name__} is not writable")
        try:
            write(self, to_property_type(value, type_name))
        except TypeError as error:
            raise AttributeError(f"property of type '{type_name}' does not accept {value!r}") from error

    return QtCore.Property(type_name, read, convert_and_write)


class StandIn:
    """Mix-in before the class of Qt; checked against ``CPP_MEMBERS`` when a class is made.

    A subclass that is named like a real class may have, in public, only what PythonQt exposes of the real
    one, and what it overrides of Qt's. Signals with types of MRML are declared with ``object``;
    ``_SIGNAL_NAMES`` of the class says which attribute serves a signature where the names differ.
    """

    CPP_SIGNALS: ClassVar[dict[str, str]] = {}
    CPP_SLOTS: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        members = CPP_MEMBERS[cls.__name__]
        allowed = frozenset().union(*(CPP_MEMBERS[base.__name__].names() for base in _stand_ins(cls)))
        own = {name for name in cls.__dict__ if not name.startswith("_") and name != "staticMetaObject"}
        overridden = {name for name in own if hasattr(super(cls, cls), name)}
        if unknown := own - overridden - allowed:
            raise TypeError(f"the real {cls.__name__} shows Python no {', '.join(sorted(unknown))}")
        special = cls.__dict__.get("_SIGNAL_NAMES", {})
        signals = {
            signature: special.get(signature, signature.split("(")[0]) for signature in members.signals
        }
        cls.CPP_SIGNALS = {**cls.CPP_SIGNALS, **signals}
        cls.CPP_SLOTS = cls.CPP_SLOTS | members.slots

    def __getattr__(self, name: str):
        known = any(name in CPP_MEMBERS[base.__name__].names() for base in _stand_ins(type(self)))
        why = "exists in Slicer, but this stand-in does not do it" if known else "does not exist"
        raise AttributeError(f"{type(self).__name__} has no attribute named '{name}': it {why}")


def _stand_ins(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base.__name__ in CPP_MEMBERS]
