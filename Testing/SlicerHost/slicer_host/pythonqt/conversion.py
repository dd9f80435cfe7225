"""How PythonQt makes a QVariant of a given type from a Python value."""

import math


def _text(value) -> str:
    return str(value)


def _integer(value) -> int:
    return math.floor(value) if isinstance(value, float) else _exact(value)


def _exact(value) -> int:
    if hasattr(type(value), "__index__"):
        return int(value)
    raise TypeError(f"{value!r} is no number")


def _number(value) -> float:
    if isinstance(value, str):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _texts(value) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    raise TypeError(f"{value!r} is no list of texts")


_BY_TYPE = {
    "bool": bool,
    "int": _integer,
    "uint": _integer,
    "double": _number,
    "float": _number,
    "QString": _text,
    "QStringList": _texts,
}


def to_property_type(value, type_name: str):
    """Returns the value as PythonQt would hand it to a property.

    Args:
        value: Any Python value.
        type_name: C++ type of the property; other types than numbers and texts are passed on unchanged.

    Raises:
        TypeError: PythonQt has no way to make this type of it.
    """
    convert = _BY_TYPE.get(type_name)
    return value if convert is None else convert(value)
