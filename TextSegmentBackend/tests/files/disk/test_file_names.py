from hypothesis import given
from hypothesis import strategies as st

from textsegment.files.disk.file_names import file_stems
from textsegment.vocabulary.structures import load_structures


def test_spaces_become_underscores():
    assert file_stems(["liver", "left kidney"]) == ("liver", "left_kidney")


def test_every_structure_of_the_model_has_its_own_name():
    stems = file_stems(list(load_structures()))
    assert len({stem.casefold() for stem in stems}) == len(load_structures())


def test_hostile_names():
    hostile = [
        "../../etc/passwd",
        "..",
        "/",
        "a\\b",
        "CON",
        "nul",
        "x\x00y",
        "  ",
        "a:b",
        ".hidden",
        "-rf",
        "ü/é",
    ]
    harmless = ["etc_passwd", "structure", "structure_2", "a_b", "structure_CON", "structure_nul", "x_y"]
    assert file_stems(hostile) == (*harmless, "structure_3", "a_b_2", "hidden", "rf", "ü_é")


def test_case_does_not_tell_files_apart():
    assert file_stems(["Liver", "liver", "LIVER"]) == ("Liver", "liver_2", "LIVER_3")


@given(st.lists(st.text(max_size=200), max_size=8))
def test_any_text_gives_harmless_and_different_names(structures):
    stems = file_stems(structures)
    assert len({stem.casefold() for stem in stems}) == len(structures)
    for stem in stems:
        assert stem
        assert not set(stem) & set('/\\:*?"<>|. \0\n\r\t')
        assert len(stem.encode()) < 200
