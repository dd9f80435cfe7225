"""File names derived from structure names, safe on every file system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Names that Windows reserves for devices, with any suffix.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_LONGEST_BYTES = 100


def file_stems(structures: Sequence[str]) -> tuple[str, ...]:
    """Return a file name without suffix for each structure, unique even if case is ignored.

    ``left kidney`` becomes ``left_kidney``. Letters and digits of any script, ``-`` and ``+`` are kept; any
    other sequence becomes one underscore, so a name contains no path, dot or control character.
    """
    taken: set[str] = set()
    stems = []
    for structure in structures:
        base = _harmless(structure)
        stem, number = base, 2
        while stem.casefold() in taken:
            stem, number = f"{base}_{number}", number + 1
        taken.add(stem.casefold())
        stems.append(stem)
    return tuple(stems)


def _harmless(structure: str) -> str:
    text = re.sub(r"[^\w+-]+|_+", "_", unicodedata.normalize("NFC", structure)).strip("_-")
    text = text.encode()[:_LONGEST_BYTES].decode(errors="ignore").strip("_-")
    if not text or text.casefold() in _RESERVED:
        return f"structure_{text}".rstrip("_")
    return text
