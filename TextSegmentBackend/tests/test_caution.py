"""Cautions: sentences with codes."""

import copy
import json
import pickle

import pytest

from textsegment.caution import Caution, about, codes


def test_a_caution_is_its_sentence_and_keeps_code_and_values():
    caution = Caution("contours_left_out", "PTV", count=3)
    for same in (caution, copy.deepcopy(caution), pickle.loads(pickle.dumps(caution))):
        assert same == "PTV: Contours that lie on no slice of the scan were left out: 3."
        assert (same.code, same.about, dict(same.values)) == ("contours_left_out", "PTV", {"count": 3})
    assert json.loads(json.dumps([caution])) == [str(caution)]
    assert "contours_left_out" in codes()
    with pytest.raises(KeyError):
        Caution("no_such_code")


@pytest.mark.parametrize(
    ("structure", "sentence", "said"),
    [
        ("PTV", "Edited by a person.", "PTV: Edited by a person."),
        ("PTV", "The PTV was edited.", "The PTV was edited."),
        ("A", "All of it.", "A: All of it."),
        ("liver", Caution("not_found", structure="liver"), "Not found in this image: liver."),
        ("Ring", about("PTV", "Edited."), "PTV: Edited."),
        ("{count}", "Edited {by} hand.", "{count}: Edited {by} hand."),
    ],
)
def test_a_caution_names_what_it_is_about_once(structure, sentence, said):
    assert about(structure, sentence) == said
    assert about("another", about(structure, sentence)).endswith(said)
