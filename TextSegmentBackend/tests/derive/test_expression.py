"""The language of derived structures: what it means, and where it fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsegment.derive.expression import (
    LONGEST_TEXT,
    Combined,
    Definition,
    Name,
    Widened,
    parse_definition,
)
from textsegment.derive.margin import Margin
from textsegment.errors import ExpressionError


def expression(text):
    return parse_definition(f"x = {text}").expression


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("Lungs = left lung + right lung", 'Lungs = "left lung" + "right lung"'),
        ("  Cord_PRV05=spinal   cord margin 5 mm ", 'Cord_PRV05 = "spinal cord" margin 5 mm'),
        ("x = a - b margin 5", 'x = "a" - ("b" margin 5 mm)'),
        ("x = a - b - c", 'x = ("a" - "b") - "c"'),
        ("x = a + b & c", 'x = "a" + ("b" & "c")'),
        ("x = (a + b) & c", 'x = ("a" + "b") & "c"'),
        ("x = (a + b) margin 2 margin -1.5", 'x = (("a" + "b") margin 2 mm) margin -1.5 mm'),
        ("Lungs-GTV = \"Lungs\" - 'GTV (1)'", 'Lungs-GTV = "Lungs" - "GTV (1)"'),
        ("x = a margin 7 P 5", 'x = "a" margin L 7 R 7 A 7 P 5 S 7 I 7 mm'),
        ("x = a MARGIN l5 r 2.5mm", 'x = "a" margin L 5 R 2.5 A 0 P 0 S 0 I 0 mm'),
        ("x = PTV^1.2/A", 'x = "PTV^1.2/A"'),
        ("Lunge = linke Lunge + 右肺", 'Lunge = "linke Lunge" + "右肺"'),
    ],
)
def test_meaning(text, recipe):
    definition = parse_definition(text)
    assert str(definition) == recipe
    assert parse_definition(recipe) == definition


def test_operands_are_named_once():
    assert parse_definition("x = a + (b margin 3 - a) & c").operands == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "equals sign"),
        ("left lung", 0, "equals sign"),
        (" = a", 0, "equals sign"),
        ('" " = a', 0, "equals sign"),
        ("a" * 65 + " = b", 0, "64 characters"),
        ("a\x07 = b", 0, "64 characters"),
        ("x =", 3, "name of a structure"),
        ("x = a +", 7, "name of a structure"),
        ("x = a - - b", 8, "name of a structure"),
        ("x = (a", 6, "closing parenthesis"),
        ("x = a)", 5, "operator"),
        ("x = a = b", 6, "operator"),
        ('x = "a" b', 8, "operator"),
        ('x = ""', 4, "name of a structure"),
        ("x = a; b", 5, "quotes"),
        ('x = "a', 4, "quotes"),
        ("x = __import__('os')", 14, "operator"),
        ("x = a margin", 12, "millimetres"),
        ("x = a margin five", 12, "millimetres"),
        ("x = a margin 2,5", 12, "millimetres"),
        ("x = a margin 5 3", 15, "operator"),
        ("x = a margin L 5 L 3", 17, "twice"),
        ("x = a margin L -5 R 3", 6, "expands or contracts"),
        ("x = a margin 100.5", 6, "larger than 100 mm"),
        ("x = a margin 1e9", 12, "millimetres"),
        ("x = a + 5 mm", 8, "word margin"),
        ("x = " + "(" * 31 + "a" + ")" * 31, 34, "too deep"),
    ],
)
def test_where_it_fails(text, position, words):
    with pytest.raises(ExpressionError, match=words) as caught:
        parse_definition(text)
    assert caught.value.position == position


def test_no_text_is_too_long_or_odd_to_be_answered():
    with pytest.raises(ExpressionError, match="longer than"):
        parse_definition("x = " + "a + " * LONGEST_TEXT + "a")


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_^. -]{0,10}[A-Za-z0-9]", fullmatch=True).filter(
    lambda name: "margin" not in name.lower()
)
sizes = st.integers(1, 1000).map(lambda tenths: tenths / 10)
margins = st.one_of(
    sizes.map(Margin.uniform),
    sizes.map(lambda size: Margin.uniform(-size)),
    st.tuples(*[sizes] * 6).map(lambda six: Margin(*six)),
)
trees = st.recursive(
    names.map(lambda name: Name(" ".join(name.split()))),
    lambda parts: st.one_of(
        st.builds(Combined, st.sampled_from("+-&"), parts, parts), st.builds(Widened, parts, margins)
    ),
    max_leaves=8,
)


@given(trees)
def test_a_recipe_means_what_it_was_made_of(tree):
    definition = Definition("x", tree)
    assert parse_definition(str(definition)) == definition


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        definition = parse_definition(f"x = {text}")
    except ExpressionError as error:
        position = error.position
    else:
        assert definition.operands
        position = 0
    assert 0 <= position <= len(text) + 4
