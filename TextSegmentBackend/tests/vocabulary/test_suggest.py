"""Suggestions: by meaning, on the side that was typed, and nothing rather than nonsense."""

from __future__ import annotations

import pytest

from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.search import search_terms
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.suggest import suggest
from textsegment.vocabulary.tree import load_tree


def suggestions(text: str, modality: str = "CT") -> tuple[str, ...]:
    [found] = resolve(text, modality)
    assert not found.runs
    return found.suggestions


@pytest.mark.parametrize(
    ("text", "modality", "expected"),
    [
        ("left ulna", "CT", ("bone",)),
        ("patella", "CT", ("bone",)),
        ("patella", "MR", ()),
        ("hyoid", "CT", ("bone",)),
        ("rectus_abdominis_right", "CT", ("muscle",)),
        ("masseter_left", "CT", ("muscle",)),
        ("embolus", "CT", ("pulmonary embolism",)),
        ("R SMG", "MR", ("right supramarginal gyrus", "right submandibular gland")),
        ("midbrain", "MR", ("brainstem",)),
        ("body of L4 vertebra", "CT", ("lumbar vertebrae 4 (l4)",)),
    ],
)
def test_suggestions_are_by_meaning(text: str, modality: str, expected: tuple[str, ...]) -> None:
    """w7: what holds the thing or is a kind of it; never what only sounds like it."""
    assert suggestions(text, modality) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left kidny", ("left kidney",)),
        ("tyroid", ("thyroid",)),
        ("lung uper lobe left", ("left lung upper lobe",)),
        ("liver_seg", ("liver",)),
        ("Liver_1", ("liver",)),
        ("left kidney right lung", ("left kidney", "right lung")),
        ("left livr", ()),
        ("xyzzy", ()),
        ("tricorder", ()),
        ("4th ventricl", ()),
    ],
)
def test_slips_of_the_finger_and_names_inside(text: str, expected: tuple[str, ...]) -> None:
    """w7: the side is kept, and a number is no slip."""
    assert suggestions(text) == expected


def test_no_term_of_the_tree_suggests_the_other_side() -> None:
    """w7: a left thing never suggests a right one, for a sample of the whole tree."""
    structures = load_structures()
    for term in list(load_tree())[::23]:
        side = term.name.split()[0]
        other = {"left": "right", "right": "left"}.get(side)
        if other:
            for modality in MODALITIES:
                for found in resolve(term.name, modality):
                    assert not [n for n in found.suggestions if structures[n].side == other], term.name


def test_suggestions_are_of_the_modality() -> None:
    """w7: what cannot run is no suggestion for a slip."""
    assert suggest("hippocampis", "MR") == ("hippocampus",)
    assert suggest("cerebelum", "CT") == ()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Niere links", "left kidney"),
        ("foie", "liver"),
        ("肝", "liver"),
        ("bazo", "spleen"),
        ("kidny", "kidney"),
        ("pancraes", "pancreas"),
        ("kneecap", "patella"),
        ("masseter", "masseter muscle"),
    ],
)
def test_search_knows_other_languages_and_slips(text: str, first: str) -> None:
    """w7: `terms search` finds what `terms resolve` understands."""
    assert search_terms(text)[0].name == first


def test_search_of_nonsense_finds_nothing() -> None:
    """w7: and says so."""
    assert search_terms("tricorder") == ()
    assert search_terms(" ") == ()
