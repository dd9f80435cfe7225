"""Names of regions of interest that treatment planning systems accept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from textsegment.ascii_text import spelled

# A DICOM Long String (VR LO) holds 64 characters; many planning systems show or keep only 16 (TG-263).
LONGEST_NAME = 64
LONGEST_SHORT_NAME = 16
_SIDES = {"left": "L", "right": "R"}


def roi_names(
    wanted: Sequence[str],
    *,
    short: bool = False,
    taken: Iterable[str] = (),
    otherwise: Sequence[str] = (),
    unicode: bool = False,
) -> tuple[str, ...]:
    """Return names that are short enough and unique regardless of case.

    Args:
        wanted: Preferred names.
        short: Whether to limit names to 16 characters instead of 64. A longer name is written in TG-263
            style, with words joined by underscores and the side last, and its longest words are truncated:
            ``left adrenal gland`` becomes ``Adrenal_Gland_L``.
        taken: Names already in use.
        otherwise: Fallback for each name that would lose letters in ASCII.
        unicode: Whether names may contain characters of any script.

    Returns:
        One name for each in ``wanted``, in the same order.

    Example:
        >>> roi_names(["Größe", "左肺"], otherwise=["", "Lung_L"])
        ('Grosse', 'Lung_L')
        >>> roi_names(["左肺"], unicode=True)
        ('左肺',)
    """
    used = {name.casefold() for name in taken}
    longest = LONGEST_SHORT_NAME if short else LONGEST_NAME
    names = []
    for text, other in zip_longest(wanted, otherwise, fillvalue=""):
        name = _printable(text) if unicode else _ascii(text) or _ascii(other) or "ROI"
        if len(name) > longest:
            name = _abbreviated(name, longest)
        name, number = name[:longest], 1
        base = name
        while name.casefold() in used:
            number += 1
            end = f"_{number}"
            name = base[: longest - len(end)] + end
        used.add(name.casefold())
        names.append(name)
    return tuple(names)


def _printable(text: str) -> str:
    # DICOM reads a backslash as a separator between values.
    plain = "".join(c if c.isprintable() and c != "\\" else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(plain.split()) or "ROI"


def _ascii(text: str) -> str:
    """Return a name in ASCII, or an empty string if letters or digits would be lost."""
    plain = spelled(text)
    if any(character.isalnum() and not character.isascii() for character in plain):
        return ""
    plain = plain.encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^ -\[\]-~]+", " ", plain).split())


def _abbreviated(name: str, longest: int) -> str:
    words = [word for word in re.split(r"[\W_]+", name) if word]
    sides = [_SIDES[word.lower()] for word in words if word.lower() in _SIDES]
    kept = [word[:1].upper() + word[1:] for word in words if word.lower() not in _SIDES] + sides[:1]
    while len("_".join(kept)) > longest and max(map(len, kept)) > 1:
        at = max(range(len(kept)), key=lambda index: len(kept[index]))
        kept[at] = kept[at][:-1]
    return "_".join(kept)
