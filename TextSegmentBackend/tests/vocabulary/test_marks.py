"""Marks, headings and numbers around names: they never run as if they were not there."""

from __future__ import annotations

import pytest

from textsegment.vocabulary.language.headings import find_heading
from textsegment.vocabulary.language.marks import read_marks
from textsegment.vocabulary.resolve import resolve


def ran(text: str, modality: str = "CT") -> set[str] | None:
    found = resolve(text, modality)
    return (
        {name for each in found for name in each.structures} if found and all(r.runs for r in found) else None
    )


@pytest.mark.parametrize(
    "sign", ["❌", "☐", "☒", "✘", "🚫", "👎", "⬜", "~~", "//", "−", "≠", "--", "%", "🙂"]
)
@pytest.mark.parametrize("form", ["{} liver", "{}liver\nspleen", "spleen, {} liver"])
def test_a_sign_that_is_not_known_to_be_silent_asks(sign: str, form: str) -> None:
    """w3: signs that nobody has foreseen ask too."""
    assert ran(form.format(sign)) is None


@pytest.mark.parametrize(
    "mark", ["r/o", "R/O", "s/p", "w/", "c/w", "h/o", "f/u", "d/t", "e.g.", "i.e.", "z.B."]
)
def test_shorthand_of_doctors_asks(mark: str) -> None:
    """w3: "r/o tumor" is no tumour, and "/" does not part it."""
    assert not any(each.runs for each in resolve(f"{mark} kidney tumor, liver", "CT"))


@pytest.mark.parametrize("text", ["b/l kidneys", "B/L kidney", "kidneys b/l"])
def test_both_sides_in_shorthand(text: str) -> None:
    """w3: "b/l" is a side."""
    assert ran(text) == {"kidney"}


@pytest.mark.parametrize(
    "text", ["✓ liver", "• liver", "- [x] liver", "# liver", "> liver", "liver®", "+liver"]
)
def test_silent_marks_are_taken_away(text: str) -> None:
    """w3: a tick, a bullet and the like say nothing."""
    assert ran(text) == {"liver"}


@pytest.mark.parametrize(
    "head", ["Segment_1", "OARs", "OAR", "Dx", "Re", "RT", "Sx", "label 1", "T1", "Findings", "3"]
)
def test_a_heading_never_adds_meaning(head: str) -> None:
    """w1, w2: what stands before a colon never changes what runs; it asks, and suggests the name."""
    [found] = resolve(f"{head}: liver", "CT")
    assert not found.runs
    assert found.suggestions == ("liver",)


@pytest.mark.parametrize("text", ["Segment: liver", "please segment: liver", "liver:"])
def test_a_request_before_a_colon_is_no_heading(text: str) -> None:
    """w1: "segment:" says nothing."""
    assert ran(text) == {"liver"}
    assert find_heading(text) == ""


@pytest.mark.parametrize(
    "text", ["1. rib 5", "i.e. rib 5", "rib 5 third", "liver segment 5 1", "x rib 5", "5) rib"]
)
def test_numbers_of_lists_and_letters_are_no_numbers_of_anatomy(text: str) -> None:
    """w2: a number counts only beside its noun, and two side by side are no list."""
    assert ran(text) is None


def test_numbers_of_lines_are_taken_away_where_they_count() -> None:
    """w2: numbers that count lines go; ordinals that name something stay or ask."""
    assert read_marks("1. liver\n2. spleen").text == "liver\nspleen"
    assert ran("4. Lendenwirbel\n5. Lendenwirbel") in (
        None,
        {"lumbar vertebrae 4 (l4)", "lumbar vertebrae 5 (l5)"},
    )
    assert ran("1. rib\n2. rib") in (None, {"rib 1", "rib 2"})


@pytest.mark.parametrize("text", ["Lung - lower lobe of left", "Lung - left lower lobe"])
def test_a_spaced_dash_may_lead_to_a_part(text: str) -> None:
    """w4: TG-263 describes lobes so; it is no minus."""
    assert ran(text) == {"left lung lower lobe"}
    assert ran("Atlas - C1") == {"cervical vertebrae 1 (c1)"}
    assert ran("lungs - heart") is None
