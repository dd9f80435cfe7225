"""Names of regions of interest, as planning systems accept them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# A long string of DICOM (VR LO) has 64 characters; many planning systems show or keep only 16 (TG-263).
LONGEST_NAME = 64
LONGEST_SHORT_NAME = 16
_SIDES = {"left": "L", "right": "R"}


def roi_names(wanted: Sequence[str], *, short: bool = False, taken: Iterable[str] = ()) -> tuple[str, ...]:
    """Return names in ASCII, short enough, and different from each other whatever the case.

    Args:
        wanted: The names as they should be.
        short: At most 16 characters instead of 64. A longer name is written in the manner of TG-263, words
            joined by underscores and the side last, and the longest words are cut: ``left adrenal gland``
            becomes ``Adrenal_Gland_L``.
        taken: Names that are in use already.
    """
    used = {name.casefold() for name in taken}
    longest = LONGEST_SHORT_NAME if short else LONGEST_NAME
    names = []
    for text in wanted:
        name = _ascii(text)
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


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    # A backslash would separate two values.
    return " ".join(re.sub(r"[^ -\[\]-~]+", " ", plain).split()) or "ROI"


def _abbreviated(name: str, longest: int) -> str:
    words = [word for word in re.split(r"[\W_]+", name) if word]
    sides = [_SIDES[word.lower()] for word in words if word.lower() in _SIDES]
    kept = [word[:1].upper() + word[1:] for word in words if word.lower() not in _SIDES] + sides[:1]
    while len("_".join(kept)) > longest and max(map(len, kept)) > 1:
        at = max(range(len(kept)), key=lambda index: len(kept[index]))
        kept[at] = kept[at][:-1]
    return "_".join(kept)
