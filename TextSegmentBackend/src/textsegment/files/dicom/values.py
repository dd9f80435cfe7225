"""Values of a data set, read one by one, so that an odd one does not condemn the whole file."""

from __future__ import annotations

from typing import cast

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from textsegment.files.dicom.header import DAMAGE

_UNDEFINED = 0xFFFFFFFF


def require_complete(dataset: Dataset) -> None:
    """Check that a file does not end within an element, which pydicom passes over.

    Raises:
        EOFError: It does.
    """
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.length not in (_UNDEFINED, len(raw.value or b"")):
            raise EOFError("The file is cut short.")


def convert_values(dataset: Dataset) -> int:
    """Convert every value of a data set and of all items in it.

    Known elements that are marked as unknown (VR ``UN``, as is usual for those that are too long for explicit
    value representations) get their own representation. What cannot be converted keeps its bytes, and is
    written again as it was.

    Returns:
        How many values cannot be converted.
    """
    odd = 0
    for tag in list(dataset.keys()):
        raw = _known(dataset.get_item(tag))
        try:
            dataset[tag] = raw
            element = dataset[tag]
            items = list(element.value or ()) if element.VR == "SQ" else []
        except DAMAGE:
            # Not as unknown: pydicom would try the same again.
            dataset[tag] = DataElement(tag, "OB", raw.value if isinstance(raw, RawDataElement) else b"")
            odd += 1
            continue
        odd += sum(convert_values(item) for item in items)
    return odd


def _known(element: DataElement | RawDataElement) -> DataElement | RawDataElement:
    """Return an element with the representation that the standard has for it, if its own is ``UN``."""
    if element.VR != "UN" or element.tag.is_private or not isinstance(element.value, bytes):
        return element
    tag = cast(BaseTag, element.tag)
    try:
        own = dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return element
    # What is unknown is encoded with implicit value representations inside (PS3.5 6.2.2).
    return RawDataElement(tag, own, len(element.value), element.value, 0, own == "SQ", True)
