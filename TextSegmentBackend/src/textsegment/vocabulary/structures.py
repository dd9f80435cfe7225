"""The structures that the model was trained on: the only prompts that it understands.

The data (``data/structures.json``) is made by ``tools/build_structures.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, NamedTuple

LEAST_LIKENESS = 0.68
STRUCTURE_LIST = "TextSegment structures"
REGION_LIST = "TextSegment regions"
"""Names of the lists of codes that 3D Slicer gets from the extension; its own lack many of them."""


class Code(NamedTuple):
    """A coded term, for example ``("SCT", "10200004", "Liver")``."""

    scheme: str
    value: str
    meaning: str

    def __str__(self) -> str:
        return "^".join(self)


@dataclass(frozen=True)
class Codes:
    """How a structure is coded in DICOM and in 3D Slicer's terminology.

    Codes are no identity: several structures share one.

    Attributes:
        category: Such as Anatomical Structure or Morphologically Altered Structure.
        type: The thing itself.
        type_modifier: Side, or front and back; None if there is none.
        region: Where a lesion or tissue lies; None if the type says it.
        region_modifier: Side of the region.
        exact: Whether the codes say exactly what the structure is, and not only what it belongs to.
    """

    category: Code
    type: Code
    type_modifier: Code | None = None
    region: Code | None = None
    region_modifier: Code | None = None
    exact: bool = True


@dataclass(frozen=True)
class Structure:
    """One thing that the model can segment.

    Attributes:
        id: Our own stable identifier, such as ``left_kidney`` or ``vertebra_l4``.
        name: The exact prompt of the model, such as ``left kidney``.
        modalities: DICOM modalities in which the model knows it: ``CT``, ``MR``, ``PT``.
        kind: organ, gland, vessel, bone, cartilage, joint, disc, muscle, nerve, brain region, cavity, tissue
            or lesion.
        side: ``left``, ``right`` or None.
        opposite: Name of the same structure on the other side, or None.
        unsided: Name of the structure that holds both sides, or None.
        parts: Names of the structures that it is made of; empty if there are none.
        codes: Coded terms for DICOM and Slicer.
        color: Red, green, blue, 0 to 255.
        note: What a user should know about it; may be empty.
    """

    id: str
    name: str
    modalities: tuple[str, ...]
    kind: str
    side: str | None
    opposite: str | None
    unsided: str | None
    parts: tuple[str, ...]
    codes: Codes
    color: tuple[int, int, int]
    note: str

    @property
    def terminology(self) -> str:
        """The serialised terminology entry of 3D Slicer (segment tag ``TerminologyEntry``)."""
        codes = self.codes
        fields = [codes.category, codes.type, codes.type_modifier, codes.region, codes.region_modifier]
        texts = [str(code) if code else "^^" for code in fields]
        return "~".join(
            [
                STRUCTURE_LIST,
                *texts[:3],
                REGION_LIST,
                *texts[3:],
            ]
        ) + "|"  # fmt: skip


def _structure(row: Mapping[str, Any]) -> Structure:
    codes = {key: Code(*value) for key, value in row["codes"].items() if key != "exact"}
    red, green, blue = row["color"]
    return Structure(
        id=row["id"],
        name=row["name"],
        modalities=tuple(row["modalities"]),
        kind=row["kind"],
        side=row["side"],
        opposite=row["opposite"],
        unsided=row["unsided"],
        parts=tuple(row["parts"]),
        codes=Codes(**codes, exact=row["codes"]["exact"]),
        color=(red, green, blue),
        note=row["note"],
    )


@lru_cache(maxsize=1)
def load_structures() -> Mapping[str, Structure]:
    """Return all structures by name (the prompt), sorted by name; read once."""
    text = resources.files("textsegment.vocabulary").joinpath("data/structures.json").read_text("utf-8")
    rows = json.loads(text)["structures"]
    return MappingProxyType({row["name"]: _structure(row) for row in rows})


def known_in(modality: str) -> tuple[str, ...]:
    """Return the prompts that the published models were trained on in a modality."""
    return tuple(name for name, structure in load_structures().items() if modality in structure.modalities)


def find_structure(name: str) -> Structure | None:
    """Return the structure of exactly this name, whatever the case and spacing, or None.

    >>> find_structure("Left Kidney").name
    'left kidney'
    >>> find_structure("flux capacitor") is None
    True
    """
    return load_structures().get(" ".join(name.lower().split()))


@lru_cache(maxsize=4096)
def nearest_structures(text: str, modality: str | None = None, limit: int = 5) -> tuple[str, ...]:
    """Return names that look like the text, nearest first, to suggest them; never to run them.

    Args:
        text: What was typed.
        modality: ``CT``, ``MR`` or ``PT`` to suggest only what the model knows in it.
        limit: Most names to return.
    """
    typed = " ".join(text.lower().split())
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(typed)
    scored = []
    for name, structure in load_structures().items():
        if modality is not None and modality not in structure.modalities:
            continue
        matcher.set_seq1(name)
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < LEAST_LIKENESS:
            continue
        if matcher.ratio() >= LEAST_LIKENESS:
            scored.append((-matcher.ratio(), name))
    return tuple(name for _, name in sorted(scored)[:limit])
