"""Write the terminology of the structures for 3D Slicer: the lists that segments refer to.

    python tools/build_terminology.py

Slicer's own lists (DICOM master list) lack two fifths of the codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textsegment.vocabulary.appearance import TISSUE
from textsegment.vocabulary.structures import (
    REGION_LIST,
    STRUCTURE_LIST,
    Code,
    Structure,
    load_structures,
)

FOLDER = Path(__file__).parents[2] / "TextSegment" / "Resources" / "Terminologies"
_SCHEMA = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas"


def structure_list() -> dict[str, Any]:
    """Return the list of categories, types and their modifiers."""
    categories: dict[Code, dict[Code, list[Structure]]] = {TISSUE: {TISSUE: []}}
    first: dict[tuple[str, str], Code] = {}  # some codes occur with two wordings
    for structure in load_structures().values():
        kind = first.setdefault(structure.codes.type[:2], structure.codes.type)
        categories.setdefault(structure.codes.category, {}).setdefault(kind, []).append(structure)
    return {
        "SegmentationCategoryTypeContextName": STRUCTURE_LIST,
        "@schema": f"{_SCHEMA}/segment-context-schema.json#",
        "SegmentationCodes": {
            "Category": [
                {**_code(category), "showAnatomy": True, "Type": [_type(*item) for item in types.items()]}
                for category, types in sorted(categories.items())
            ]
        },
    }


def region_list() -> dict[str, Any]:
    """Return the list of regions and their modifiers."""
    regions: dict[Code, set[Code]] = {}
    for structure in load_structures().values():
        codes = structure.codes
        if codes.region:
            modifiers = regions.setdefault(codes.region, set())
            modifiers.update([codes.region_modifier] if codes.region_modifier else [])
    return {
        "AnatomicContextName": REGION_LIST,
        "@schema": f"{_SCHEMA}/anatomic-context-schema.json#",
        "AnatomicCodes": {
            "AnatomicRegion": [
                {**_code(region), **_modifiers(map(_code, sorted(modifiers)))}
                for region, modifiers in sorted(regions.items())
            ]
        },
    }


def _type(code: Code, structures: list[Structure]) -> dict[str, Any]:
    modifiers: dict[Code, Structure] = {}
    for structure in structures:
        if structure.codes.type_modifier:
            modifiers.setdefault(structure.codes.type_modifier, structure)
    shown = [
        {**_code(modifier), "recommendedDisplayRGBValue": list(structure.color)}
        for modifier, structure in sorted(modifiers.items(), key=lambda item: item[0])
    ]
    best = sorted(structures, key=lambda each: (bool(each.codes.type_modifier), not each.codes.exact))
    color = {"recommendedDisplayRGBValue": list(best[0].color)} if best else {}
    return {**_code(code), **color, **_modifiers(shown)}


def _modifiers(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    modifiers = list(entries)
    return {"Modifier": modifiers} if modifiers else {}


def _code(code: Code) -> dict[str, Any]:
    return {"CodingSchemeDesignator": code.scheme, "CodeValue": code.value, "CodeMeaning": code.meaning}


def main() -> None:
    """Write both lists to the module's resources."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in (("structures", structure_list()), ("regions", region_list())):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
