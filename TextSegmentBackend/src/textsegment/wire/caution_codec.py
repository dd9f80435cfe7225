"""Encoding of warnings: sentences, beside which the codes and values of cautions stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from textsegment.caution import Caution, codes
from textsegment.errors import RequestError
from textsegment.wire.strict_json import Fields

_CODE_CHARACTERS = 64
_ABOUT_CHARACTERS = 2**12


def warning_fields(warnings: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a message that hold warnings.

    Returns:
        ``warnings``, a list of sentences, and ``cautions``, a list of the same length with the code, subject
        and values of each, or null where it has none; ``cautions`` is left out if there would only be nulls.

    Example:
        >>> warning_fields(["Sheared.", Caution("contours_left_out", count=3)])["cautions"]
        [None, {'code': 'contours_left_out', 'about': '', 'values': {'count': 3}}]
    """
    cautions = [caution_fields(warning) for warning in warnings]
    return {"warnings": list(warnings)} | ({"cautions": cautions} if any(cautions) else {})


def read_warnings(given: Fields, max_count: int, max_characters: int) -> tuple[str, ...]:
    """Read warnings, as cautions where the sender gave a code that is known here.

    A caution of another version, with an unknown code or other values, is kept as its sentence.

    Raises:
        RequestError: The fields are malformed, or there are not as many cautions as sentences.
    """
    sentences = given.texts("warnings", max_count, max_characters)
    if not given.has("cautions"):
        return sentences
    cautions = given.objects("cautions", max_count)
    if len(cautions) != len(sentences):
        raise RequestError("There are not as many cautions as warnings.")
    return tuple(
        sentence if fields is None else read_caution(sentence, fields)
        for sentence, fields in zip(sentences, cautions, strict=True)
    )


def caution_fields(warning: str) -> dict[str, Any] | None:
    """Return code, subject and values of a caution; None for a plain sentence or values that JSON lacks."""
    if not isinstance(warning, Caution) or warning.code == "said":
        return None
    values = _scalars(warning.values)
    return None if values is None else {"code": warning.code, "about": warning.about, "values": values}


def _scalars(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the values as JSON scalars; None if one of them is none."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or isinstance(value, (bool, str)):
            found[name] = value
        elif isinstance(value, Integral):
            found[name] = int(value)
        elif isinstance(value, Real) and math.isfinite(value):
            found[name] = float(value)
        else:
            return None
    return found


def read_caution(sentence: str, given: Fields) -> str:
    """Return a sentence as the caution that its fields tell, or as it is if another version wrote them."""
    code = given.text("code", _CODE_CHARACTERS)
    about = given.text("about", _ABOUT_CHARACTERS)
    values = given.scalars("values")
    if code not in codes():
        return sentence
    try:
        return Caution(code, about, **values)
    except (LookupError, TypeError, ValueError):  # values that do not fit to the phrase
        return sentence
