"""From the typed line to prompts."""

import pytest

from textsegment.errors import LimitExceededError, ModalityError, PromptError, UnknownStructureError
from textsegment.vocabulary.selection import check_text, find_structures
from textsegment.vocabulary.structures import known_in


def yes(_):
    return True


def no(_):
    return False


def test_names_and_synonyms():
    wanted = find_structures("liver, lt kidney", "CT", known_in("CT"), no)
    assert wanted.structures == ("liver", "left kidney")
    assert wanted.notes, "the vocabulary tells how the published models were trained"
    for modality in ("CT", "MR"):
        own = find_structures("liver, spine", modality, ("liver", "vertebrae"), no)
        assert own.notes == (), "which says nothing of a model with its own list"


def test_sets_need_consent():
    asked = []
    assert find_structures(
        "ribs", "CT", known_in("CT"), lambda meaning: asked.append(meaning) or True
    ).structures
    assert "24 structures" in asked[0]
    with pytest.raises(PromptError, match="stands for 24 structures") as caught:
        find_structures("ribs", "CT", known_in("CT"), no)
    assert "--yes" in caught.value.hint


def test_a_set_is_cut_down_to_what_the_model_has():
    wanted = find_structures("abdominal organs", "CT", ("liver", "spleen"), yes)
    assert wanted.structures == ("liver", "spleen")
    assert any("The model has 2 of" in note for note in wanted.notes)


def test_unsupported_term_says_so():
    """Fault 30."""
    with pytest.raises(UnknownStructureError, match="not trained on it"):
        check_text("appendix")


def test_typo_asks_what_was_meant():
    """Fault 31."""
    with pytest.raises(UnknownStructureError) as typo:
        check_text("kidny")
    assert "kidney" in typo.value.suggestions
    assert "Did you mean kidney" in typo.value.hint


def test_side_that_is_none_asks():
    """Fault 32."""
    with pytest.raises(UnknownStructureError) as side:
        check_text("right spleen")
    assert side.value.suggestions == ("spleen",)


@pytest.mark.parametrize("text", ["печень", "pečeň", "συκώτι", "lifur", "tricorder"])
def test_words_of_languages_that_are_not_known_are_declined(text):
    """Fault 33."""
    with pytest.raises(UnknownStructureError, match=text):
        check_text(text)


def test_every_term_that_fails_is_named():
    with pytest.raises(UnknownStructureError) as caught:
        check_text("liver, kidny, right spleen")
    lines = caught.value.message.splitlines()
    assert len(lines) == 3
    assert "kidny" in lines[1]
    assert "right spleen" in lines[2]


def test_a_text_may_belong_to_another_modality():
    check_text("white matter")
    with pytest.raises(UnknownStructureError, match="MR only, not in CT"):
        find_structures("white matter", "CT", known_in("CT"), yes)
    with pytest.raises(ModalityError):
        find_structures("liver", "US", (), yes)


@pytest.mark.parametrize("blank", ["", "  ", ",", " ; \n "])
def test_blank(blank):
    with pytest.raises(PromptError):
        check_text(blank)


def test_limits():
    with pytest.raises(LimitExceededError):
        check_text("x" * 201)
    with pytest.raises(LimitExceededError):
        check_text("liver," * 5000)


@pytest.mark.parametrize("hostile", ["liver\x1b[31m", "../../liver", "liver\x00", "[link=x]liver[/link]"])
def test_hostile_characters_are_no_structure(hostile):
    with pytest.raises(PromptError):
        check_text(hostile)
