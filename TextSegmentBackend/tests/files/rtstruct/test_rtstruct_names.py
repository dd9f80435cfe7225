import pytest

from textsegment.vocabulary.roi_names import roi_names
from textsegment.vocabulary.structures import load_structures


def test_short_enough_names_stay_as_they_are():
    wanted = ["Kidney_L", "left kidney", "PRV5_SpinalCord", "A_LAD"]
    assert roi_names(wanted) == roi_names(wanted, short=True) == tuple(wanted)


@pytest.mark.parametrize(
    ("wanted", "short"),
    [
        ("left adrenal gland", "Adrenal_Gland_L"),
        ("right gluteus maximus", "Gluteu_Maximus_R"),
        ("inferior vena cava", "Inferi_Vena_Cava"),
        ("x" * 40, "X" + "x" * 15),
    ],
)
def test_long_names_are_shortened_in_the_manner_of_tg263(wanted, short):
    assert roi_names([wanted], short=True) == (short,)


def test_all_structures_get_different_names_of_printable_ascii():
    wanted = list(load_structures())
    for short, longest in ((True, 16), (False, 64)):
        names = roi_names(wanted, short=short)
        assert max(map(len, names)) <= longest
        assert len({name.casefold() for name in names}) == len(wanted)
        assert all(name.isascii() and name.isprintable() for name in names)


def test_names_that_are_taken_get_a_number():
    assert roi_names(["Liver", "liver"], taken=["LIVER"]) == ("Liver_2", "liver_3")
    assert roi_names(["b" * 16, "b" * 16], short=True) == ("b" * 16, "b" * 14 + "_2")


def test_what_dicom_cannot_hold_is_left_out():
    assert roi_names(["a\\b\nc\x00", "Größe", "肝"]) == ("a b c", "Grosse", "ROI")
