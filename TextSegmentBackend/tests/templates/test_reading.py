"""Template files: what they say, what is refused with line and field, and that they survive being written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from textsegment.errors import (
    InputNotFoundError,
    InputUnreadableError,
    TemplateError,
    UnknownStructureError,
)
from textsegment.templates import read_template, template_text
from textsegment.templates.reading import template_from_toml
from textsegment.vocabulary.template import Finishing, RegionStyle, load_templates

WHOLE = """
label = "Prostate, our way"

[all]
smallest_part_ml = 0.5
most_points = 100

[[structure]]
name = "Bladder"
text = "Harnblase"
type = "ORGAN"
color = "#FFd700"
required = true
smooth_mm = 1
most_points = 50

[[structure]]
name = "Lungs"
text = "lt lung, right lung"
fill_holes = true

[[structure]]
name = "Bladder_PRV"
derive = "Bladder margin 5 P 3"
type = "NONE"
color = [1, 2, 3]
optional = true
keep_largest = true
smallest_part_ml = 0
smallest_contour_mm2 = 4.5
note = "For the night shift: \\"ask\\""
"""


def test_a_whole_template(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(WHOLE)
    template = read_template(path)
    assert (template.id, template.label) == ("ours", "Prostate, our way")
    bladder, lungs, ring = template.entries
    assert (bladder.output, bladder.prompts, bladder.required) == ("Bladder", ("urinary bladder",), True)
    assert bladder.style == RegionStyle("ORGAN", (255, 215, 0), most_points=50)
    assert bladder.finishing == Finishing(smallest_part_ml=0.5, smooth_mm=1)
    assert (lungs.prompts, lungs.relation) == (("left lung", "right lung"), "parts")
    assert lungs.finishing == Finishing(smallest_part_ml=0.5, fill_holes=True)
    assert lungs.style == RegionStyle(most_points=100)
    assert (ring.recipe, ring.prompts, ring.core) == ("Bladder margin 5 P 3", (), False)
    assert ring.finishing == Finishing(keep_largest=True)
    assert ring.style == RegionStyle("NONE", (1, 2, 3), 4.5, 100)
    assert ring.note == 'For the night shift: "ask"'
    assert [entry.output for entry in template.wanted] == ["Bladder", "Lungs"]


def test_what_is_written_is_read_again() -> None:
    template = template_from_toml("ours", WHOLE)
    assert template_from_toml("ours", template_text(template)) == template


@pytest.mark.parametrize("name", sorted(load_templates()))
def test_built_in_ones_are_a_start(name: str) -> None:
    template = load_templates()[name]
    own = template_from_toml(name, template_text(template))
    assert own.label == template.label
    for chosen in (template, template.with_optional()):
        again = own.with_optional() if chosen.full else own
        assert [(e.output, e.prompts) for e in again.chosen("CT")] == [
            (e.output, e.prompts) for e in chosen.chosen("CT")
        ]


BLADDER = '[[structure]]\nname = "Bladder"\ntext = "urinary bladder"\n'


@pytest.mark.parametrize(
    ("text", "line", "field", "words"),
    [
        ("", 0, "structure", "no [[structure]]"),
        ("label = ", 1, "", "not TOML"),
        (f'{BLADDER}\ncolor = "gold\n', 5, "", "not TOML"),
        ("structure = 3", 1, "structure", "list of tables"),
        (f"{BLADDER}[[structure]]\n", 4, "name", "missing"),
        (f'{BLADDER}[[structure]]\ntext = "liver"\nname = ""\n', 6, "name", "empty"),
        (f"{BLADDER}[[structure]]\ntext = 'liver'\nname = 'Bl\"dder'\n", 6, "name", "quotes"),
        (f'{BLADDER}[[structure]]\nname = "{"x" * 65}"\ntext = "liver"', 5, "name", "64"),
        (f'{BLADDER}[[structure]]\nname = "bladder"\ntext = "liver"', 5, "name", "already"),
        (f'{BLADDER}derive = "liver"', 2 + 1, "text", "either text or derive"),
        ('[[structure]]\nname = "A"\n', 1, "text", "either text or derive"),
        ('[[structure]]\nname = "A"\nderive = "liver margin"', 3, "derive", "millimetres"),
        (f'{BLADDER}colour = "#ffffff"', 4, "colour", "no such field"),
        (f'{BLADDER}color = "gold"', 4, "color", "#ffd700"),
        (f"{BLADDER}color = [1, 2, 256]", 4, "color", "#ffd700"),
        (f"{BLADDER}color = [1, 2, true]", 4, "color", "#ffd700"),
        (f'{BLADDER}type = "OAR"', 4, "type", "no such type"),
        (f'{BLADDER}required = "yes"', 4, "required", "true or false"),
        (f"{BLADDER}smooth_mm = -1", 4, "smooth_mm", "from 0 to 20"),
        (f"{BLADDER}smooth_mm = nan", 4, "smooth_mm", "from 0 to 20"),
        (f"{BLADDER}smallest_part_ml = true", 4, "smallest_part_ml", "from 0 to 1000"),
        (f"{BLADDER}most_points = 2", 4, "most_points", "whole number from 3"),
        (f"[all]\nsmooth_mm = 50\n{BLADDER}", 2, "smooth_mm", "from 0 to 20"),
        (f'[all]\ntype = "ORGAN"\n{BLADDER}', 2, "type", "no such field"),
        (f"all = 3\n{BLADDER}", 1, "all", "table"),
        (f"label = 3\n{BLADDER}", 1, "label", "one line of text"),
        (f"title = 'x'\n{BLADDER}", 1, "title", "no such field"),
        ("a=" + "[" * 5000, 0, "", "too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_field(text: str, line: int, field: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        template_from_toml("x", text)
    error = caught.value
    assert words in f"{error.message} {error.hint}"
    if line:
        assert error.line == line
        assert f"line {line}" in error.message
    assert error.field == field
    assert error.code == "template_invalid"


@pytest.mark.parametrize(
    ("words", "suggestion"), [("kidny", "kidney"), ("ventricle", ""), ("liver - heart", ""), ("no liver", "")]
)
def test_words_that_are_not_certain_are_refused(words: str, suggestion: str) -> None:
    with pytest.raises(UnknownStructureError, match=r"line 3, structure 1 \(K\), text") as caught:
        template_from_toml("x", f'[[structure]]\nname = "K"\ntext = "{words}"')
    assert not suggestion or suggestion in caught.value.suggestions


def test_inline_tables_have_errors_without_a_line() -> None:
    with pytest.raises(TemplateError, match=r"structure 1 \(A\), colour") as caught:
        template_from_toml("x", 'structure = [{name = "A", text = "liver", colour = "red"}]')
    assert caught.value.field == "colour"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        read_template(tmp_path / "none.toml")
    with pytest.raises(InputUnreadableError):
        read_template(tmp_path)
    path = tmp_path / "odd.toml"
    path.write_bytes(b"label = '\xff'")
    with pytest.raises(TemplateError, match="UTF-8"):
        read_template(path)
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(TemplateError, match="too large"):
        read_template(path)


def test_a_template_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        json.dumps({"label": "Mine", "structures": {"Kidney_L": "Left  Kidney", "Both": ["liver", "spleen"]}})
    )
    template = read_template(path)
    assert (template.id, template.label) == ("mine", "Mine")
    assert template.structures("CT") == ("left kidney", "liver", "spleen")
    assert [entry.relation for entry in template.entries] == ["exact", "parts"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"structures": {}}', '{"structures": {"a": 3}}', '{"structures": {"a": []}}', "\xff"],
)
def test_a_broken_template_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputUnreadableError):
        read_template(path)


def test_a_template_that_is_not_there_or_names_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        read_template(tmp_path / "none.json")
    path = tmp_path / "typo.json"
    path.write_text('{"structures": {"K": "kidny"}}')
    with pytest.raises(UnknownStructureError) as caught:
        read_template(path)
    assert "kidney" in caught.value.suggestions
