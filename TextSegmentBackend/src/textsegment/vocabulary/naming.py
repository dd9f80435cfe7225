"""Naming schemes for results: names of the model, of AAPM TG-263, or of SNOMED CT."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from textsegment.errors import PromptError
from textsegment.vocabulary.language.words import read_data
from textsegment.vocabulary.structures import Structure, find_structure

NAMINGS = ("sat", "tg263", "snomed")


def names_of(structures: Iterable[str], naming: str) -> Mapping[str, str]:
    """Return a unique name for each structure in a naming scheme, keyed by structure.

    A structure without an exact name in the scheme keeps its name in the model: TG-263 names with a wider or
    narrower meaning, and codes shared by several structures, are not used.

    Args:
        structures: Names of structures.
        naming: ``sat`` (names of the model), ``tg263`` (``Kidney_L``) or ``snomed`` (``Left Kidney``).

    Raises:
        PromptError: The naming scheme is unknown.
    """
    own = _NAME_OF.get(naming)
    if own is None:
        raise PromptError("The naming is not known.", f"Use {', '.join(NAMINGS)}.")
    names: dict[str, str] = {}
    for structure in structures:
        known = find_structure(structure)
        name = (own(known) if known is not None else None) or structure
        names[structure] = structure if name in names.values() else name
    return names


@lru_cache(maxsize=1)
def _tg263() -> Mapping[str, str]:
    """Return TG-263 names keyed by structure, where the name means exactly that structure."""
    names = json.loads(read_data("tg263.json"))["names"]
    return {
        parts[0]: name for name, (relation, parts) in names.items() if relation == "exact" and len(parts) == 1
    }


def _snomed(structure: Structure) -> str | None:
    codes = structure.codes
    if not codes.exact or codes.type.scheme != "SCT" or codes.region is not None:
        return None
    side = codes.type_modifier.meaning if codes.type_modifier is not None else ""
    return f"{side} {codes.type.meaning}".strip()


_NAME_OF: Mapping[str, Callable[[Structure], str | None]] = {
    "sat": lambda structure: structure.name,
    "tg263": lambda structure: _tg263().get(structure.name),
    "snomed": _snomed,
}
