"""Text for files and standards that know ASCII only."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

# Latin letters that Unicode normalisation does not decompose.
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "Oe"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
)


def spelled(text: str) -> str:
    """Return a text with accents taken off and ligatures written out; letters of other scripts stay.

    >>> spelled("Größe, Ménisque, 左")
    'Grosse, Menisque, 左'
    """
    apart = unicodedata.normalize("NFKD", text.translate(_SPELLED))
    return "".join(character for character in apart if not unicodedata.combining(character))


def in_ascii(text: str, replaced: Mapping[str, str]) -> str:
    """Return a text in ASCII, with a question mark for each character that cannot be spelled.

    Args:
        text: Any text.
        replaced: Characters that the format gives a meaning of its own, and what takes their place.

    Example:
        >>> in_ascii("Größe | 左", {"|": "/"})
        'Grosse / ?'
    """
    plain = "".join(replaced.get(character, character) for character in spelled(text))
    return plain.encode("ascii", "replace").decode()
