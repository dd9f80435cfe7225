"""Terminology of the segments: every entry exists in the list it names, as Slicer's own logic reads it."""

import importlib.util
import json
from pathlib import Path

import pytest
import slicer
from textsegment.vocabulary.appearance import appearance_of
from textsegment.vocabulary.structures import REGION_LIST, STRUCTURE_LIST, load_structures
from TextSegmentLib import startup

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "TextSegment" / "Resources" / "Terminologies"
TOOL = ROOT / "TextSegmentBackend" / "tools" / "build_terminology.py"


@pytest.fixture(scope="module")
def logic():
    startup.register()
    return slicer.modules.terminologies.logic()


def code(item):
    return (item.GetCodingSchemeDesignator() or "", item.GetCodeValue() or "")


def listed_types(logic):
    """Returns the categories, types and modifiers of our list as Slicer has loaded them."""
    found = set()
    category, kind = slicer.vtkSlicerTerminologyCategory(), slicer.vtkSlicerTerminologyType()
    modifier = slicer.vtkSlicerTerminologyType()
    for c in range(logic.GetNumberOfCategoriesInTerminology(STRUCTURE_LIST)):
        logic.GetNthCategoryInTerminology(STRUCTURE_LIST, c, category)
        for t in range(logic.GetNumberOfTypesInTerminologyCategory(STRUCTURE_LIST, category)):
            logic.GetNthTypeInTerminologyCategory(STRUCTURE_LIST, category, t, kind)
            found.add((code(category), code(kind), ("", "")))
            if not kind.GetHasModifiers():
                continue
            for m in range(logic.GetNumberOfTypeModifiersInTerminologyType(STRUCTURE_LIST, category, kind)):
                logic.GetNthTypeModifierInTerminologyType(STRUCTURE_LIST, category, kind, m, modifier)
                found.add((code(category), code(kind), code(modifier)))
    return found


def listed_regions(logic):
    found = {(("", ""), ("", ""))}
    region, modifier = slicer.vtkSlicerTerminologyType(), slicer.vtkSlicerTerminologyType()
    for r in range(logic.GetNumberOfRegionsInRegionContext(REGION_LIST)):
        logic.GetNthRegionInRegionContext(REGION_LIST, r, region)
        found.add((code(region), ("", "")))
        if not region.GetHasModifiers():
            continue
        for m in range(logic.GetNumberOfRegionModifierInRegion(REGION_LIST, region)):
            logic.GetNthRegionModifierInRegion(REGION_LIST, region, m, modifier)
            found.add((code(region), code(modifier)))
    return found


def test_every_entry_is_in_the_list_that_it_names(logic):
    """sl7: 195 of 451 entries named a list that does not contain them."""
    types, regions = listed_types(logic), listed_regions(logic)
    for structure in [*load_structures(), "something of a user's own model"]:
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(appearance_of(structure).terminology, entry)
        assert entry.GetTerminologyContextName() == STRUCTURE_LIST
        assert entry.GetRegionContextName() == REGION_LIST
        kind = (entry.GetCategoryObject(), entry.GetTypeObject(), entry.GetTypeModifierObject())
        assert tuple(map(code, kind)) in types, structure
        assert tuple(map(code, (entry.GetRegionObject(), entry.GetRegionModifierObject()))) in regions, (
            structure
        )


def test_lists_are_those_of_the_vocabulary():
    spec = importlib.util.spec_from_file_location("build_terminology", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert json.loads((RESOURCES / "structures.json").read_text("utf-8")) == tool.structure_list()
    assert json.loads((RESOURCES / "regions.json").read_text("utf-8")) == tool.region_list()
