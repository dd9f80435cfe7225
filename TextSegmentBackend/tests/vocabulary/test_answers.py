"""All suggestions at once."""

from __future__ import annotations

import random

import pytest

from textsegment.vocabulary.answers import suggested_answers, with_suggestions
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.structures import known_in

ASKED = [
    ("left kidny, liver_seg, spleen", "CT", "left kidney; liver; spleen"),
    ("Segment_1: liver", "CT", "liver"),
    ("☐ spleen\n☑ liver", "CT", "spleen; liver"),
    ("portal vein", "CT", "portal vein and splenic vein"),
    ("left kidney right lung", "CT", "left kidney; right lung"),
    ("left lung, lung", "CT", "left lung; lung"),
]


@pytest.mark.parametrize(("text", "modality", "expected"), ASKED)
def test_all_suggestions_are_taken_at_once(text: str, modality: str, expected: str) -> None:
    """w9: and what comes out runs without a question."""
    answered = with_suggestions(text, modality)
    assert answered.text == expected
    assert answered.taken
    assert answered.left == ()
    assert all(found.runs for found in resolve(answered.text, modality))


@pytest.mark.parametrize("text", ["RCC", "Hip_L", "carotid", "tricorder", "no liver", "PTV"])
def test_what_leaves_a_choice_stays_open(text: str) -> None:
    """w9: one key never chooses between two meanings, nor drops what was said."""
    answered = with_suggestions(f"{text}, spleen", "CT")
    assert text in answered.left
    assert text in answered.text


def test_suggestions_that_the_model_lacks_are_not_taken() -> None:
    """w9: the model at hand counts."""
    found = resolve("left kidny", "CT")
    assert suggested_answers(found, {"left kidney"}) == {0: ("left kidney",)}
    assert suggested_answers(found, {"liver"}) == {}


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize("seed", range(5))
def test_a_list_of_all_class_names_asks_nothing(modality: str, seed: int) -> None:
    """w9: 306 names between commas, in any order, are 306 structures."""
    names = list(known_in(modality))
    if seed:
        random.Random(seed).shuffle(names)
    found = resolve(", ".join(names), modality)
    assert [each.structures for each in found] == [(name,) for name in names]
