"""Strict parsing of JSON objects: no missing or unknown fields, no type coercion."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from textsegment.errors import RequestError

_MAX_DIGITS = 32
_SURROGATE = re.compile("[\ud800-\udfff]")


class Fields:
    """The fields of a JSON object, to be read one by one.

    Every method that reads a field raises ``RequestError`` if it is missing or has another type; messages
    never repeat a value.
    """

    def __init__(self, fields: dict[str, Any], what: str) -> None:
        self._fields = dict(fields)
        self._what = what

    def end(self) -> None:
        """Raise ``RequestError`` if there are fields that have not been read."""
        if self._fields:
            raise RequestError(f"{self._what} has {len(self._fields)} unknown fields.")

    def has(self, name: str) -> bool:
        """Whether an optional field is present."""
        return name in self._fields

    def text(self, name: str, max_characters: int) -> str:
        """Read a string."""
        return self._text(self._take(name), name, max_characters)

    def text_or_null(self, name: str, max_characters: int) -> str | None:
        """Read a string, or None, which is encoded as ``null``."""
        value = self._take(name)
        return None if value is None else self._text(value, name, max_characters)

    def texts(self, name: str, max_count: int, max_characters: int) -> tuple[str, ...]:
        """Read a list of strings."""
        return tuple(self._text(v, name, max_characters) for v in self._list(name, max_count))

    def whole(self, name: str, low: int, high: int) -> int:
        """Read an integer within an inclusive range."""
        return self._whole(self._take(name), name, low, high)

    def wholes(self, name: str, count: int, low: int, high: int) -> tuple[int, ...]:
        """Read a list of ``count`` integers within an inclusive range."""
        values = self._list(name, count)
        if len(values) != count:
            raise RequestError(f"{self._what}: “{name}” is a list of {count} numbers.")
        return tuple(self._whole(v, name, low, high) for v in values)

    def real(self, name: str, low: float, high: float) -> float:
        """Read a finite number within an inclusive range."""
        return self._real(self._take(name), name, low, high)

    def reals(self, name: str, count: int, low: float, high: float) -> tuple[float, ...]:
        """Read a list of ``count`` finite numbers within an inclusive range."""
        values = self._list(name, count)
        if len(values) != count:
            raise RequestError(f"{self._what}: “{name}” is a list of {count} numbers.")
        return tuple(self._real(v, name, low, high) for v in values)

    def real_or_nan(self, name: str, low: float, high: float) -> float:
        """Read a finite number within an inclusive range, or NaN, which is encoded as ``null``."""
        value = self._take(name)
        return math.nan if value is None else self._real(value, name, low, high)

    def flag(self, name: str) -> bool:
        """Read a boolean."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise RequestError(f"{self._what}: “{name}” is true or false.")
        return value

    def fields(self, name: str) -> Fields:
        """Read a nested object."""
        return Fields(self._object(name), f"{self._what}.{name}")

    def fields_or_null(self, name: str) -> Fields | None:
        """Read a nested object, or None, which is encoded as ``null``."""
        if self._fields.get(name, ...) is None:
            return self._take(name)  # type: ignore[no-any-return]
        return self.fields(name)

    def objects(self, name: str, max_count: int) -> tuple[Fields | None, ...]:
        """Read a list of objects, some of which may be null."""
        values = self._list(name, max_count)
        if any(value is not None and not isinstance(value, dict) for value in values):
            raise RequestError(f"{self._what}: “{name}” is a list of objects.")
        return tuple(None if value is None else Fields(value, f"{self._what}.{name}") for value in values)

    def lists(self, name: str, max_count: int, max_characters: int) -> dict[str, tuple[str, ...]]:
        """Read an object that maps arbitrary names to lists of strings."""
        lists = Fields(self._object(name), f"{self._what}.{name}")
        return {key: lists.texts(key, max_count, max_characters) for key in tuple(lists._fields)}

    def scalars(self, name: str) -> dict[str, Any]:
        """Read an object that maps arbitrary names to scalars or lists of scalars; lists become tuples."""
        return {key: self._scalars(value, name) for key, value in self._object(name).items()}

    def _take(self, name: str) -> Any:
        if name not in self._fields:
            raise RequestError(f"{self._what}: the field “{name}” is missing.")
        return self._fields.pop(name)

    def _object(self, name: str) -> dict[str, Any]:
        value = self._take(name)
        if not isinstance(value, dict):
            raise RequestError(f"{self._what}: “{name}” is an object.")
        return value

    def _scalars(self, value: Any, name: str) -> Any:
        values = value if isinstance(value, list) else [value]
        if any(isinstance(v, (list, dict)) or (isinstance(v, str) and _SURROGATE.search(v)) for v in values):
            raise RequestError(f"{self._what}: “{name}” holds scalars and lists of scalars only.")
        return tuple(values) if isinstance(value, list) else value

    def _list(self, name: str, max_count: int) -> list[Any]:
        value = self._take(name)
        if not isinstance(value, list) or len(value) > max_count:
            raise RequestError(f"{self._what}: “{name}” is a list of at most {max_count}.")
        return value

    def _text(self, value: Any, name: str, max_characters: int) -> str:
        if not isinstance(value, str) or len(value) > max_characters or _SURROGATE.search(value):
            raise RequestError(f"{self._what}: “{name}” is text of at most {max_characters} characters.")
        return value

    def _whole(self, value: Any, name: str, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RequestError(f"{self._what}: “{name}” is a whole number from {low} to {high}.")
        return value

    def _real(self, value: Any, name: str, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise RequestError(f"{self._what}: “{name}” is a number from {low} to {high}.")
        return float(value)


def read_object(data: bytes | bytearray | memoryview, what: str) -> Fields:
    """Parse a JSON object (RFC 8259, UTF-8).

    Args:
        data: Encoded text; the caller must limit its length.
        what: Name of the object in messages.

    Raises:
        RequestError: The text is not a JSON object, or has duplicate fields, NaN or infinite numbers, or
            numbers with more than 32 digits.
    """
    try:
        value = json.loads(
            bytes(data).decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_int=_short_int,
            parse_float=_finite_float,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise RequestError(f"{what} is nested too deeply.") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise RequestError(f"{what} is no valid JSON.") from error
    if not isinstance(value, dict):
        raise RequestError(f"{what} is a JSON object.")
    return Fields(value, what)


def write_object(fields: dict[str, Any]) -> bytes:
    """Serialise a JSON object compactly; NaN must have been replaced by None."""
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode("ascii")


def null_if_nan(value: float) -> float | None:
    """Return None for NaN, which JSON cannot represent."""
    return None if math.isnan(value) else float(value)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field occurs twice")
    return fields


def _short_int(digits: str) -> int:
    # Python's conversion takes quadratic time in the number of digits.
    if len(digits) > _MAX_DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
