"""Availability of structures: one decision for the panel, the command line, sets and engines."""

from __future__ import annotations

import pytest

from textsegment.errors import UnknownStructureError
from textsegment.prompt import Prompt
from textsegment.segmenter import ModelInfo
from textsegment.testing import FakeSegmenter
from textsegment.vocabulary.availability import as_available, missing_from
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.selection import find_structures
from textsegment.vocabulary.template import load_templates

TEXTS = ("left ribs", "ribs", "left kidney", "L1-L5", "abdominal organs", "lung lobes", "liver")
MODELS = (frozenset({"liver", "left rib 3"}), frozenset({"kidney", "rib"}), frozenset({"spleen"}))


def model(available: frozenset[str]) -> ModelInfo:
    from dataclasses import replace

    return replace(FakeSegmenter().info(), structures={"CT": tuple(sorted(available))})


def test_nothing_is_asked_that_would_be_refused_later() -> None:
    """Issue 10: "left ribs" of a model that has none is refused at once, without a question for consent."""
    asked: list[str] = []
    with pytest.raises(UnknownStructureError, match="does not know it") as refused:
        find_structures(
            "left ribs", "CT", {"liver", "left rib"}, lambda question: bool(asked.append(question)) or True
        )
    assert asked == []
    assert refused.value.suggestions == ("left rib",)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("available", MODELS, ids=lambda names: "+".join(sorted(names)))
def test_panel_command_line_and_engine_agree(text: str, available: frozenset[str]) -> None:
    """Issue 10: what the panel shows is what a request asks for, and what the model answers."""
    shown = [as_available(found, available) for found in resolve(text, "CT")]
    try:
        chosen = find_structures(text, "CT", available, lambda question: True).structures
    except UnknownStructureError:
        assert not all(found.runs for found in shown)
        return
    assert chosen == tuple(name for found in shown for name in found.structures)
    model(available).require_known([Prompt(name) for name in chosen], "CT")


def test_sets_use_the_same_decision() -> None:
    """Issue 10: a line of a set runs if nothing of it is missing."""
    for template in load_templates().values():
        for available in MODELS:
            for entry in template.chosen("CT", available):
                assert missing_from(entry.prompts, available) == ()


def test_what_holds_a_missing_structure_is_suggested() -> None:
    """Issue 10: with the names that the model has only."""
    [found] = resolve("left kidney", "CT")
    assert as_available(found, {"kidney"}).suggestions == ("kidney",)
    assert as_available(found, {"liver"}).suggestions == ()
    assert as_available(found, None) is found
