"""``textsegment terms``: tables for people, JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from textsegment.cli.commands.terms import terms_app
from textsegment.errors import InputNotFoundError, InputUnreadableError, ModalityError, PromptError

runner = CliRunner()


def run(*arguments: str) -> str:
    result = runner.invoke(terms_app, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_resolve_prints_one_object() -> None:
    found = json.loads(run("resolve", "lt kidney, kidny", "--modality", "CT", "--json"))
    assert found["text"] == "lt kidney, kidny"
    assert found["modality"] == "CT"
    first, second = found["terms"]
    assert set(first) == {"term", "status", "prompts", "relation", "warnings", "suggestions"}
    assert (first["status"], first["prompts"], first["relation"]) == ("resolved", ["left kidney"], "exact")
    assert (second["status"], second["prompts"]) == ("unknown", [])
    assert second["suggestions"][0] == "kidney"


def test_a_batch_is_answered_line_by_line_in_order(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    rows = [
        {"text": "肝脏", "modality": "CT"},
        {"text": "", "modality": "MR"},
        {"text": "a\nb", "modality": "PT"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", "utf-8")
    lines = [json.loads(line) for line in run("resolve", "--batch", str(path), "--json").splitlines()]
    assert [(line["text"], line["modality"]) for line in lines] == [(r["text"], r["modality"]) for r in rows]
    assert lines[0]["terms"][0]["prompts"] == ["liver"]
    assert lines[1]["terms"] == []
    assert len(lines[2]["terms"]) == 2


def test_a_batch_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text('{"text": "liver\u2028spleen"}\r\n{"text": "\\ud800 liver"}\n', "utf-8", newline="")
    lines = run("resolve", "--batch", str(path), "--json").splitlines()
    assert [len(json.loads(line)["terms"]) for line in lines] == [2, 1]


def test_a_person_sees_a_table() -> None:
    shown = run("resolve", "RCC")
    assert "ambiguous" in shown
    assert "right common carotid artery" in shown


@pytest.mark.parametrize("line", ["{", "[]", '{"modality": "CT"}', '{"text": 3}'])
def test_a_broken_batch_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text(line)
    with pytest.raises(InputUnreadableError):
        run("resolve", "--batch", str(path), "--json")


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError):
        run("resolve")
    with pytest.raises(ModalityError):
        run("resolve", "liver", "-m", "US")
    with pytest.raises(InputNotFoundError):
        run("resolve", "--batch", str(tmp_path / "none"))


def test_search_says_what_the_model_has() -> None:
    found = json.loads(run("search", "renal cortex", "--json"))
    assert found[0]["support"] == "wider"
    assert found[0]["prompts"] == ["kidney"]
    assert "renal artery" in run("search", "renal")


def test_tree_shows_the_top_and_what_is_below() -> None:
    top = json.loads(run("tree", "--depth", "1", "--json"))
    assert "Regions of the body" in [branch["name"] for branch in top]
    kidney = json.loads(run("tree", "kidney", "--json"))[0]
    assert "left kidney" in [child["name"] for child in kidney["children"]]
    assert "left kidney" in run("tree", "kidney")


def test_show_tells_all_about_a_structure() -> None:
    shown = json.loads(run("show", "left kidney", "--json"))
    assert shown["opposite"] == "right kidney"
    assert shown["terminology"].endswith("|")
    assert "Left" in run("show", "Left Kidney")


def test_templates_are_listed_and_shown(tmp_path: Path) -> None:
    listed = json.loads(run("templates", "--json"))
    assert "oar_brain" in [template["id"] for template in listed]
    shown = json.loads(run("templates", "oar_pelvis_prostate", "--full", "--json"))
    assert {"output": "Sacrum", "prompts": ["sacrum"]} in shown["structures"]
    assert any("PenileBulb" in warning for warning in shown["warnings"])
    path = tmp_path / "mine.json"
    path.write_text('{"structures": {"K": "kidney"}}')
    assert "kidney" in run("templates", str(path))
