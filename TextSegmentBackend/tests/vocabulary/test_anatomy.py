"""Anatomical facts: every structure has them, and they agree with what else is known."""

from __future__ import annotations

import pytest
from build_anatomy import OUTPUT, rows, text_of

from textsegment.vocabulary.anatomy import Form, anatomy_of, load_anatomy, may_overlap
from textsegment.vocabulary.structures import load_structures

STRUCTURES = load_structures()


def test_every_structure_of_every_modality_has_facts() -> None:
    assert list(load_anatomy()) == list(STRUCTURES)


def test_the_file_is_what_the_tool_writes() -> None:
    assert OUTPUT.read_text(encoding="utf-8") == text_of(rows())


def test_both_sides_have_the_same_facts() -> None:
    for name, facts in load_anatomy().items():
        if facts.twin:
            twin = anatomy_of(facts.twin)
            assert (twin.form, twin.twin) == (facts.form, name)
            assert {facts.side, twin.side} in ({None}, {"left", "right"})
            unsided = [{n for n in both.overlaps if not STRUCTURES[n].side} for both in (facts, twin)]
            assert unsided[0] == unsided[1]


def test_lesions_may_have_any_number_of_parts_and_lie_anywhere() -> None:
    lesions = [s.name for s in STRUCTURES.values() if s.kind == "lesion"]
    assert all(anatomy_of(name).form is Form.SCATTERED for name in lesions)
    assert all(may_overlap(name, "liver") and may_overlap("left lung", name) for name in lesions)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("liver", "solid"),
        ("right kidney", "solid"),
        ("kidney", "several"),
        ("cerebellum", "solid"),
        ("brainstem", "solid"),
        ("cervical vertebrae 1 (c1)", "solid"),
        ("left hip", "solid"),
        ("colon", "several"),
        ("left rib 4", "several"),
        ("vertebrae", "scattered"),
        ("rib", "scattered"),
        ("left lobe of liver", "solid"),
        ("lung nodule", "scattered"),
    ],
)
def test_form(name: str, form: str) -> None:
    assert anatomy_of(name).form.value == form


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("trachea", "left lung", True),
        ("left lung", "right lung", False),
        ("left kidney", "kidney", True),
        ("left kidney", "right kidney", False),
        ("heart", "left lung", False),
        ("spinal canal", "spinal cord", True),
        ("left lung", "lung lower lobe", True),
        ("left gluteus maximus", "muscle", True),
        ("lumbar vertebrae 3 (l3)", "vertebrae", True),
        ("lumbar vertebrae 3 (l3)", "lumbar vertebrae 4 (l4)", False),
        ("left thalamus", "brain", True),
        ("liver", "gallbladder", False),
        ("an implant", "liver", True),
    ],
)
def test_overlaps_are_the_same_both_ways(one: str, other: str, overlap: bool) -> None:
    assert may_overlap(one, other) is may_overlap(other, one) is overlap


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("left kidney", "left"),
        ("right lung middle lobe", "right"),
        ("head of left femur", "left"),
        ("left iliac vena", None),
        ("right heart ventricle", None),
        ("left lobe of liver", None),
        ("left superior frontal gyrus", None),
        ("right cerebellum", "right"),
        ("kidney", None),
    ],
)
def test_only_what_never_crosses_the_midline_has_a_side(name: str, side: str | None) -> None:
    assert anatomy_of(name).side == side


def test_a_whole_is_the_union_of_the_parts_that_the_modality_has() -> None:
    assert anatomy_of("lung").parts == ("left lung", "right lung")
    assert anatomy_of("heart").parts == ()
    assert len(anatomy_of("thoracic vertebrae").parts_in("CT")) == 12
    assert len(anatomy_of("thoracic vertebrae").parts_in("MR")) == 4
