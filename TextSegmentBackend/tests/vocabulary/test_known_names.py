"""Names of data sets, of radiotherapy and of ordinary sentences."""

from __future__ import annotations

import pytest

from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.structures import load_structures


def ran(text: str, modality: str = "CT") -> set[str] | None:
    found = resolve(text, modality)
    return (
        {name for each in found for name in each.structures} if found and all(r.runs for r in found) else None
    )


@pytest.mark.parametrize("text", ["Hip_L", "L Hip", "LHip", "HipL", "HIP_LT", "Lt Hip", "Hip Left"])
def test_a_hip_of_radiotherapy_asks(text: str) -> None:
    """w5: it may be the bone or the femoral head."""
    [found] = resolve(text, "CT")
    assert (found.status, found.suggestions) == ("ambiguous", ("left hip", "head of left femur"))


@pytest.mark.parametrize(
    ("text", "expected"), [("left hip", "left hip"), ("hip_left", "left hip"), ("hip", "hip")]
)
def test_the_class_of_the_model_and_plain_words_run(text: str, expected: str) -> None:
    """w5: the model's own name stays a name."""
    assert ran(text) == {expected}


SENTENCES = (
    "identify the {}",
    "{} only",
    "only the {}",
    "I want the {} segmented",
    "create a mask of the {}",
    "the {} of this patient",
    "Can you find the {} in this scan?",
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_ordinary_sentences_add_nothing(sentence: str) -> None:
    """w6: what people write around a name is taken away, for every structure of the model."""
    for structure in list(load_structures().values())[::9]:
        modality = structure.modalities[0]
        if structure.name != "intestine":
            assert ran(sentence.format(structure.name), modality) == {structure.name}


def test_the_modality_in_a_sentence_must_be_that_of_the_image() -> None:
    """w6: "in abdominal CT" says nothing on a CT, and is a question on an MR."""
    assert ran("liver in abdominal CT") == {"liver"}
    assert ran("liver in abdominal CT", "MR") is None
    assert ran("prostate in this T2 MRI", "MR") == {"prostate"}


@pytest.mark.parametrize(("modality", "expected"), [("MR", {"left heart ventricle"}), ("CT", None)])
def test_the_modality_settles_what_an_abbreviation_means(modality: str, expected: set[str] | None) -> None:
    """w6: LV is a label of cardiac MR; on CT it stays open."""
    assert ran("LV", modality) == expected
