"""Templates: what runs, what is missing, names of the results."""

from __future__ import annotations

import pytest

from textsegment.errors import UnknownStructureError
from textsegment.templates import template_named
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.template import find_template, load_templates

SITES = [
    "brain", "head_neck", "thorax_lung", "breast", "upper_abdomen", "pelvis_prostate", "pelvis_gyn_rectum",
    "spine_sbrt",
]  # fmt: skip


def test_there_is_a_set_for_every_site() -> None:
    assert {f"oar_{site}" for site in SITES} <= set(load_templates())


@pytest.mark.parametrize("name", sorted(load_templates()))
def test_only_what_the_model_has_in_the_modality_runs(name: str) -> None:
    template = load_templates()[name].with_optional()
    for modality in ("CT", "MR"):
        held = template.structures(modality)
        assert all(modality in load_structures()[structure].modalities for structure in held)
        outputs = [entry.output for entry in template.chosen(modality)]
        assert len(outputs) == len(set(outputs))
    assert template.structures("CT")


def test_what_is_missing_is_said() -> None:
    template = load_templates()["oar_pelvis_prostate"]
    assert template.warnings("CT") == ("Not in the model: PenileBulb.",)
    assert any("SeminalVes" in warning for warning in template.with_optional().warnings("CT"))
    assert any(w.startswith("Not in the model for MR: ") for w in template.warnings("MR"))


@pytest.mark.parametrize("name", ["oar_pelvis_prostate", "prostate", "OAR prostate", "Prostata"])
def test_a_template_is_found_by_what_a_user_calls_it(name: str) -> None:
    assert template_named(name).id == "oar_pelvis_prostate"
    assert not template_named(name).full


def test_the_optional_lines_are_wanted_in_words() -> None:
    assert template_named("full prostate").full


@pytest.mark.parametrize("name", ["", "elbow", "oar"])
def test_unknown_templates_name_those_that_there_are(name: str) -> None:
    with pytest.raises(UnknownStructureError, match="no such template") as caught:
        template_named(name)
    assert "oar_breast" in caught.value.suggestions


def test_a_small_model_lacks_more() -> None:
    template = load_templates()["oar_pelvis_prostate"]
    missing = template.missing("CT", {"urinary bladder", "head of left femur"})
    assert "Rectum" in missing["Not in this model"]
    assert missing["Not in the model"] == ("PenileBulb",)
    chosen = template.chosen("CT", {"urinary bladder", "head of left femur"})
    assert [entry.output for entry in chosen] == ["Bladder", "Femur_Head_L"]


def test_results_get_tg263_names() -> None:
    entries = load_templates()["oar_pelvis_prostate"].chosen("CT")
    assert {e.output: e.prompts for e in entries}["Femur_Head_L"] == ("head of left femur",)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("OAR prostate", "oar_pelvis_prostate"),
        ("oars for head & neck", "oar_head_neck"),
        ("Organs at risk breast", "oar_breast"),
        ("Risikoorgane Lunge", "oar_thorax_lung"),
        ("all abdominal organs", "abdominal_organs"),
        ("全身", "whole_body"),
    ],
)
def test_templates_are_found_by_name(text: str, identifier: str) -> None:
    found = find_template(text)
    assert found is not None
    assert found.id == identifier
    assert resolve(text, "CT")[0].status == "template"


@pytest.mark.parametrize("text", ["OAR", "OAR banana", "prostate", "oar pelvis"])
def test_no_template_is_guessed(text: str) -> None:
    assert find_template(text) is None


def test_full_asks_for_the_optional_ones() -> None:
    core, full = resolve("OAR spine", "CT")[0], resolve("full OAR spine", "CT")[0]
    assert set(core.structures) < set(full.structures)
