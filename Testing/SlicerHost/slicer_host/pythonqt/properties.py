"""Qt properties as attributes: ``button.text``, ``button.checked = True``; ``button.text()`` is an error."""

from PySide6 import QtCore

from slicer_host.pythonqt.conversion import to_property_type


class CppProperty(property):
    """A property of a C++ class, made an attribute."""


class VirtualGetter:
    """A property whose getter Python classes may override; PySide6 looks at the attribute to see who does.

    It is a value on Qt's own objects, as it should be, but stays a method on objects of Python classes.
    """

    def __init__(self, getter) -> None:
        self._getter = getter

    def __get__(self, instance, owner=None):
        if instance is None:
            return self._getter
        bound = self._getter.__get__(instance, owner)
        return bound() if type(instance).__module__.startswith("PySide6.") else bound


def install(classes) -> None:
    """Replaces the getters of all Qt properties by attributes of the same name."""
    for cls in classes:
        meta_object = cls.staticMetaObject
        for index in range(meta_object.propertyOffset(), meta_object.propertyCount()):
            _make_attribute(cls, meta_object.property(index))
    QtCore.QObject.name = property(  # a decorator of Slicer's
        lambda self: self.objectName, lambda self, value: setattr(self, "objectName", value)
    )
    QtCore.QObject.className = lambda self: self.metaObject().className()


def _make_attribute(cls, meta_property) -> None:
    name = meta_property.name()
    capitalised = name[0].upper() + name[1:]
    getter = _method(cls, name) or _method(cls, "is" + capitalised)
    setter = _method(cls, "set" + capitalised)
    if name in ("sizeHint", "minimumSizeHint"):
        setattr(cls, name, VirtualGetter(getter))
        return
    type_name, writable = meta_property.typeName(), meta_property.isWritable()

    def read(self):
        return getter(self) if getter else self.property(name)

    def write(self, value) -> None:
        if not writable:
            raise AttributeError(f"Property '{name}' of {cls.__name__} object is not writable")
        try:
            converted = to_property_type(value, type_name)
            if setter:
                setter(self, converted)
            else:
                self.setProperty(name, converted)
        except (TypeError, ValueError) as error:
            raise AttributeError(
                f"Property '{name}' of type '{type_name}' does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            ) from error

    setattr(cls, name, CppProperty(read, write))


def _method(cls, name: str):
    method = getattr(cls, name, None)
    return method if callable(method) else None
