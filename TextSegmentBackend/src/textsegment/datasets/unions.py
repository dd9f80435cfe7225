"""Structures that follow from drawn ones: wholes of their parts, and organs with the lesions in them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib import resources

from textsegment.vocabulary.anatomy import load_anatomy
from textsegment.vocabulary.structures import known_in


@lru_cache(maxsize=1)
def lesion_rules() -> Mapping[str, tuple[str, ...]]:
    """Return the organs that the voxels of a lesion belong to, keyed by the name of the lesion."""
    text = resources.files("textsegment.datasets").joinpath("data/rules.json").read_text("utf-8")
    return {lesion: tuple(organs) for lesion, organs in json.loads(text)["inside"].items()}


def anatomical_groups(modality: str) -> dict[str, tuple[str, ...]]:
    """Return the parts of every whole of the vocabulary whose parts are all known in a modality.

    >>> anatomical_groups("CT")["kidney"]
    ('left kidney', 'right kidney')
    """
    known = set(known_in(modality))
    return {
        name: anatomy.parts
        for name, anatomy in load_anatomy().items()
        if name in known and anatomy.parts and set(anatomy.parts) <= known
    }


def contents(
    drawn: Collection[str], looked_for: Collection[str], groups: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return the drawn structures whose voxels make up each structure of a case.

    A whole is known where it was drawn itself, and where all of its parts were looked for. An organ contains
    the lesions in it if it was drawn or looked for.

    Args:
        drawn: Structures that are drawn.
        looked_for: Structures that were searched for, ``drawn`` included.
        groups: Parts of each whole, keyed by its name.

    Returns:
        For each structure, drawn ones first, the drawn structures that it is the union of.

    Example:
        >>> both = ("left kidney", "right kidney")
        >>> contents(["left kidney"], both, {"kidney": both})
        {'left kidney': ('left kidney',), 'kidney': ('left kidney',)}
    """
    found = {name: [name] for name in drawn}
    for lesion in drawn:
        for organ in lesion_rules().get(lesion, ()):
            if organ in looked_for:
                found.setdefault(organ, []).append(lesion)
    # Wholes of wholes (vertebrae from lumbar vertebrae) take as many rounds as there are levels.
    for _ in range(3):
        for whole, parts in groups.items():
            if whole not in looked_for and not all(part in looked_for or part in found for part in parts):
                continue
            inside = [name for part in parts for name in found.get(part, ())]
            if inside:
                found[whole] = list(dict.fromkeys([*found.get(whole, ()), *inside]))
    return {name: tuple(inside) for name, inside in found.items()}


def known_structures(looked_for: Collection[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the structures that are known to be there or not: those looked for, and wholes of such parts."""
    known = dict.fromkeys(looked_for)
    for _ in range(3):
        for whole, parts in groups.items():
            if all(part in known for part in parts):
                known[whole] = None
    return tuple(known)
