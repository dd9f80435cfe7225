"""Names of results."""

import pytest

from textsegment.errors import PromptError
from textsegment.vocabulary.naming import NAMINGS, names_of
from textsegment.vocabulary.structures import load_structures


@pytest.mark.parametrize(
    ("structure", "tg263", "snomed"),
    [
        ("left kidney", "Kidney_L", "Left Kidney"),
        ("urinary bladder", "Bladder", "Urinary bladder"),
        ("head of left femur", "Femur_Head_L", None),
        ("spinal cord", "SpinalCord", "Spinal cord"),
        ("left rib 12", None, "Left Twelfth rib"),
        ("my own", "my own", "my own"),
    ],
)
def test_names(structure, tg263, snomed):
    assert names_of([structure], "sat") == {structure: structure}
    if tg263 is not None:
        assert names_of([structure], "tg263") == {structure: tg263}
    if snomed is not None:
        assert names_of([structure], "snomed") == {structure: snomed}


@pytest.mark.parametrize("naming", NAMINGS)
def test_all_names_differ(naming):
    names = names_of(load_structures(), naming)
    assert list(names) == list(load_structures())
    assert len(set(names.values())) == len(names)


def test_tg263_names_are_short():
    names = names_of(load_structures(), "tg263")
    assert all(len(name) <= 16 for structure, name in names.items() if name != structure)
    assert sum(name != structure for structure, name in names.items()) > 150


def test_other_namings_are_refused():
    with pytest.raises(PromptError, match="naming"):
        names_of(["liver"], "latin")
