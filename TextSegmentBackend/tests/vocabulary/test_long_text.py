"""Long texts are answered at once: no pattern takes the square of their length, which would be minutes."""

import pytest

from textsegment.vocabulary.resolve import resolve


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 100_000, id="one word"),
        pytest.param("ab " * 30_000, id="one phrase"),
        pytest.param("spleen and " * 10_000, id="one list without commas"),
        pytest.param("x" + " )" * 50_000 + "y", id="brackets"),
        pytest.param("~" * 100_000, id="marks"),
    ],
)
def test_no_name_is_that_long(text: str) -> None:
    """What is longer than any phrase is not looked at, and runs nothing."""
    assert not any(found.runs or found.suggestions for found in resolve(text, "CT"))


@pytest.mark.parametrize("gap", [" ", "\t", "\n", " \n", "\u00a0"])
def test_gaps_of_any_length_separate_as_short_ones_do(gap: str) -> None:
    """ "liver", very much space, "spleen" means what it means with a little space."""
    few = resolve(f"liver{gap * 3}spleen", "CT")
    many = resolve(f"liver{gap * 50_000}spleen", "CT")
    assert [(one.status, one.structures) for one in many] == [(one.status, one.structures) for one in few]


def test_a_long_term_leaves_its_neighbours_alone() -> None:
    """Only the term itself is refused."""
    first, second = resolve("spleen; " + "x" * 5000, "CT")
    assert first.structures == ("spleen",)
    assert second.status == "unknown"
    assert "too long" in second.warnings[0]
