"""Rules: what matches, which series is chosen, and what a mistake in a file is answered with."""

import pytest

from textsegment.errors import RulesError
from textsegment.node.rules.facts import SeriesFacts
from textsegment.node.rules.rule_set import RuleSet
from textsegment.node.tables import check_table

CT = SeriesFacts(
    modality="CT",
    study_description="RT Planning PELVIS",
    series_description="soft 3mm",
    kernel=("B30f",),
    body_part="PELVIS",
    manufacturer="SIEMENS",
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    slice_thickness_mm=3.0,
    slices=90,
    sender="SCANNER",
)


def rules(*tables):
    usual = {"text": "liver"}
    return check_table(RuleSet, {"rules": [{**usual, **table} for table in tables]}, "rules.toml")


def rule(match, **more):
    return {"name": "one", "match": match, **more}


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({"modality": "CT"}, True),
        ({"modality": ["MR", "PT"]}, False),
        ({"study_description": "*rt*pelvis*"}, True),
        ({"study_description": "pelvis"}, False),
        ({"series_description": ["lung*", "SOFT*"]}, True),
        ({"kernel": "B3?f"}, True),
        ({"kernel": "B[67]*"}, False),
        ({"image_type": ["ORIGINAL", "AXIAL"]}, True),
        ({"image_type": ["ORIGINAL", "MIP"]}, False),
        ({"slice_thickness_mm": {"max": 3}}, True),
        ({"slice_thickness_mm": {"min": 3.5}}, False),
        ({"slices": {"min": 20, "max": 400}}, True),
        ({"sender": "scanner", "manufacturer": "siemens*", "body_part": "PELVIS"}, True),
        ({"modality": "CT", "body_part": "CHEST"}, False),
    ],
)
def test_conditions(match, matches):
    assert (rules(rule(match)).decide(CT).rule is not None) == matches


def test_what_the_header_does_not_say_does_not_match():
    assert rules(rule({"slice_thickness_mm": {"max": 3}})).decide(SeriesFacts(modality="CT")).rule is None
    assert rules(rule({"kernel": "B*"})).decide(SeriesFacts(modality="CT")).rule is None


def test_the_first_rule_that_matches_decides_and_unless_excludes():
    found = rules(
        {"name": "sharp", "match": {"modality": "CT"}, "unless": {"kernel": "B3*"}},
        {"name": "soft", "match": {"modality": "CT"}},
        {"name": "never", "match": {"modality": "CT"}},
    ).decide(CT)
    assert found.rule.name == "soft"
    assert [trial.matches for trial in found.trials] == [False, True, True]


def test_the_reason_holds_nothing_that_was_typed_at_the_scanner():
    secret = SeriesFacts(modality="CT", study_description="Mustermann Max", body_part="HEAD")
    decision = rules(rule({"study_description": "*RT*", "body_part": "PELVIS"})).decide(secret)
    assert decision.reason == "No rule matches: 'one' fails at study_description, body_part."
    assert "Mustermann" not in rules(rule({"study_description": "*"})).decide(secret).reason


@pytest.mark.parametrize(
    ("prefer", "best"),
    [
        ([{"kernel": "B30*"}], 0),
        (["thinnest"], 1),
        ([{"kernel": "B30*"}, "thinnest"], 2),
        (["thickest", "latest"], 3),
        (["most_slices"], 1),
        (["first"], 0),
        (["latest"], 3),
    ],
)
def test_choice_among_reconstructions(prefer, best):
    group = [
        SeriesFacts(modality="CT", kernel=(kernel,), slice_thickness_mm=thickness, slices=slices)
        for kernel, thickness, slices in (
            ("B30f", 3.0, 90),
            ("B70f", 1.0, 270),
            ("B30s", 2.0, 135),
            ("B70s", 3.0, 90),
        )
    ]
    (one,) = rules(rule({"modality": "CT"}, choose={"prefer": prefer})).rules
    assert one.choose.best(group) == best


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"name": "one", "match": {"modalty": "CT"}},
            "rules.1.match.modalty: there is no such key. Did you mean modality?",
        ),
        ({"name": "one", "match": {}}, "match needs at least one condition"),
        ({"name": "one", "match": {"modality": "CT"}, "text": "livver"}, "Did you mean liver?"),
        ({"name": "one", "match": {"modality": "CT"}, "text": ""}, "say what to segment"),
        ({"name": "one", "match": {"modality": "CT"}, "template": "no such"}, "There is no such template"),
        ({"name": "one", "match": {"modality": "CT"}, "derive": ["A = = liver"]}, "rules.1:"),
        ({"name": "one", "match": {"modality": "CT"}, "outputs": ["rtstuct"]}, "rules.1.outputs.1"),
        ({"name": "one", "match": {"modality": "CT"}, "outputs": []}, "rules.1.outputs"),
        ({"name": "a\\b", "match": {"modality": "CT"}}, "a name has"),
        ({"name": "one", "match": {"slices": {"min": "many"}}}, "rules.1.match.slices.min"),
        (
            {"name": "one", "match": {"modality": "CT"}, "label": "much longer than sixteen"},
            "1 to 16 characters",
        ),
        (
            {"name": "one", "match": {"modality": "CT"}, "choose": {"prefer": ["nicest"]}},
            "rules.1.choose.prefer",
        ),
        ({"match": {"modality": "CT"}}, "rules.1.name: Field required"),
    ],
)
def test_a_mistake_is_told_with_its_place(table, told):
    with pytest.raises(RulesError) as caught:
        rules(table)
    assert told in caught.value.message
    assert caught.value.code == "rules_invalid"


def test_names_of_rules_are_distinct_and_there_is_one():
    with pytest.raises(RulesError, match="same name"):
        rules(rule({"modality": "CT"}), rule({"modality": "MR"}))
    with pytest.raises(RulesError, match="there is no rule"):
        rules()
