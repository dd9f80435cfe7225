"""Tolerant conversion of the values of a data set, so that an invalid one does not spoil the whole file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import cast

from pydicom.charset import convert_encodings, decode_bytes, default_encoding, encode_string
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

# What pydicom raises for damaged files, besides InvalidDicomError for files that are not DICOM at all.
DAMAGE = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError, OverflowError,
    struct.error, BytesLengthException,
)  # fmt: skip
_TEXT = {"LO", "SH", "ST", "LT", "UC", "UT"}
_UNDEFINED = 0xFFFFFFFF


def require_complete(dataset: Dataset) -> None:
    """Check that a file does not end within an element, which pydicom silently accepts.

    Raises:
        EOFError: The file is truncated.
    """
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.length not in (_UNDEFINED, len(raw.value or b"")):
            raise EOFError("The file is cut short.")


def convert_values(dataset: Dataset) -> int:
    """Convert every value of a data set, including nested items, in place.

    Known elements with the value representation ``UN`` (as is usual for values too long for explicit value
    representations) get their proper one. Values that cannot be converted keep their bytes and are written
    back unchanged.

    Returns:
        The number of values that cannot be converted.
    """
    keep_text(dataset)
    odd = 0
    for tag in list(dataset.keys()):
        raw = _known(dataset.get_item(tag))
        try:
            dataset[tag] = raw
            element = dataset[tag]
            items = list(element.value or ()) if element.VR == "SQ" else []
        except DAMAGE:
            # Not as ``UN``: pydicom would attempt the same conversion again.
            dataset[tag] = DataElement(tag, "OB", raw.value if isinstance(raw, RawDataElement) else b"")
            odd += 1
            continue
        odd += sum(convert_values(item) for item in items)
    return odd


def _known(element: DataElement | RawDataElement) -> DataElement | RawDataElement:
    """Return an element with its standard value representation if it is marked as ``UN``."""
    if element.VR != "UN" or element.tag.is_private or not isinstance(element.value, bytes):
        return element
    tag = cast(BaseTag, element.tag)
    try:
        own = dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return element
    # Values of ``UN`` are encoded with implicit value representations (PS3.5 6.2.2).
    return RawDataElement(tag, own, len(element.value), element.value, 0, own == "SQ", True)


def keep_text(dataset: Dataset, encodings: Sequence[str] = (default_encoding,)) -> None:
    """Keep the raw bytes of texts that are not in their declared character set.

    pydicom replaces characters that it cannot decode, and would write the replacements. Keeping the bytes
    preserves such texts, so that whoever could read them still can.

    Args:
        dataset: Data set whose texts have not been accessed yet; nested items are processed as well.
        encodings: Python encodings of the enclosing data set, as pydicom names them.
    """
    encodings = _encodings(dataset, encodings)
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if not isinstance(raw, RawDataElement):
            continue
        try:
            vr = raw.VR if raw.VR not in (None, "UN") else dictionary_VR(cast(BaseTag, raw.tag))
            items = dataset[tag].value if vr == "SQ" else ()
        except DAMAGE:
            continue
        for item in items or ():
            keep_text(item, encodings)
        if vr in (*_TEXT, "PN") and raw.value and not _is_faithful(raw.value, encodings):
            value: bytes | PersonName = raw.value.rstrip(b" \0")
            if vr == "PN":
                value = PersonName(value, encodings)
            dataset[tag] = DataElement(tag, vr, value, already_converted=True)


def is_declared(dataset: Dataset, encodings: Sequence[str] | None = None) -> bool:
    """Whether all texts are in their declared character set, and so can be converted to another.

    Without a declaration, only ASCII counts: other characters could be in any character set.
    """
    # pydicom assumes Latin-1 if nothing is declared.
    encodings = [
        "ascii" if encoding == default_encoding else encoding
        for encoding in _encodings(dataset, encodings or ["ascii"])
    ]
    for element in dataset:
        if element.VR == "SQ":
            if not all(is_declared(item, encodings) for item in element.value or ()):
                return False
            continue
        if element.VR not in (*_TEXT, "PN"):
            continue
        for value in element.value if element.VM > 1 else [element.value]:
            if isinstance(value, PersonName):
                value = value.original_string or str(value)
                if isinstance(value, bytes) and not _is_faithful(value, encodings):
                    return False
            elif isinstance(value, bytes):
                return False
            if isinstance(value, str) and encodings[0] == "ascii" and not value.isascii():
                return False
    return True


def _encodings(dataset: Dataset, outer: Sequence[str]) -> list[str]:
    declared = dataset.get("SpecificCharacterSet")
    if declared in (None, ""):
        return list(outer)
    try:
        return list(convert_encodings(declared))
    except DAMAGE:
        return list(outer)


def _is_faithful(raw: bytes, encodings: Sequence[str]) -> bool:
    """Whether bytes survive decoding and encoding unchanged."""
    if raw.isascii() and b"\x1b" not in raw:
        return True
    try:
        if len(encodings) == 1:
            return raw.decode(encodings[0]).encode(encodings[0]) == raw
        text = decode_bytes(raw, list(encodings), set())
        return "\ufffd" not in text and encode_string(text, list(encodings)) == raw
    except DAMAGE:
        return False


def text_of(value: str | bytes | None) -> str:
    """Return a text, guessing the encoding of bytes that are not in a declared character set."""
    if isinstance(value, bytes):
        western = value.decode("latin-1")
        is_western = all(character.isascii() or character.isalpha() for character in western)
        for encoding in ("utf-8", "latin-1" if is_western else "gb18030"):
            try:
                return value.decode(encoding).strip()
            except UnicodeDecodeError:
                continue
        return western.strip()
    return str(value or "").strip()
