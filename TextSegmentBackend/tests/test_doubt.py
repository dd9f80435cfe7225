"""Doubt: what is said of a mask, and how much of it is a verdict."""

import math
from dataclasses import replace

import pytest

from textsegment.doubt import NO_DOUBT, Calibration, Verdict, about_most, counted_anew, of, of_all
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation
from textsegment.testing import FakeSegmenter, phantom

CALIBRATION = Calibration(0.3, 0.4, 12, 200)


def a_mask(structure="left lung", **measured):
    mask = FakeSegmenter().segment(phantom(), [structure])[structure]
    usual = {"volume_ml": 900.0, "touches_border": False}
    return replace(mask, statistics=replace(mask.statistics, **usual | measured))


NONE, CHECK, ABSENT = Verdict.NONE, Verdict.CHECK, Verdict.PROBABLY_ABSENT


@pytest.mark.parametrize(
    ("measured", "codes", "verdict"),
    [
        ({}, [], NONE),
        ({"unsure_share": 0.29}, [], NONE),
        ({"unsure_share": 0.35}, ["unsure"], NONE),
        ({"unsure_share": 0.45}, ["unsure"], CHECK),
        ({"claimed_share": 0.3}, ["claimed"], NONE),
        ({"claimed_share": 0.5, "unsure_share": 0.35}, ["claimed", "unsure"], CHECK),
        ({"wrong_side_share": 0.3}, ["wrong_side"], NONE),
        ({"wrong_side_share": 0.6}, ["wrong_side"], CHECK),
        ({"whole_agreement": 0.73}, ["parts_disagree"], NONE),
        ({"whole_agreement": 0.2}, ["parts_disagree"], CHECK),
        ({"shift_agreement": 0.75}, ["unstable"], NONE),
        ({"shift_agreement": 0.2}, ["unstable"], CHECK),
        ({"part_count": 2, "second_part_share": 0.4}, ["distant_parts"], NONE),
        ({"part_count": 2, "second_part_share": 0.7}, ["distant_parts"], CHECK),
        ({"part_count": 2, "second_part_share": 0.7, "touches_border": True}, ["distant_parts"], NONE),
        ({"height_offset_mm": 150}, ["misplaced"], NONE),
        ({"height_offset_mm": 240}, ["misplaced"], ABSENT),
        ({"height_offset_mm": -240}, ["misplaced"], ABSENT),
        ({"height_offset_mm": -240, "touches_border": True}, ["misplaced"], NONE),
        ({"wrong_side_share": 0.3, "height_offset_mm": -240}, ["misplaced", "wrong_side"], ABSENT),
        ({"unsure_share": 0.45, "wrong_side_share": 0.3}, ["unsure", "wrong_side"], CHECK),
        ({"volume_ml": 400.0}, ["too_small"], CHECK),
        ({"volume_ml": 40.0}, ["too_small"], ABSENT),
        ({"volume_ml": 40.0, "touches_border": True}, [], NONE),
        ({"volume_ml": 6000.0, "touches_border": True}, ["too_large"], NONE),
        ({"volume_ml": 9000.0, "touches_border": True}, ["too_large"], CHECK),
        ({"unsure_share": 0.35, "wrong_side_share": 0.3}, ["wrong_side", "unsure"], CHECK),
        ({"unsure_share": 0.35, "shift_agreement": 0.75}, ["unstable", "unsure"], NONE),
    ],
)
def test_reasons_and_verdict_of_a_left_lung(measured, codes, verdict):
    mask = a_mask(**measured)
    doubt = of(mask, CALIBRATION)
    assert [reason.code for reason in doubt.reasons] == codes
    assert doubt.verdict is verdict
    assert bool(doubt) is (verdict is not NONE)
    assert of(mask, None).verdict is NONE


def test_what_is_normal_for_one_structure_is_odd_for_another():
    parts = {"part_count": 2, "second_part_share": 0.9}
    assert of(a_mask("kidney", **parts), CALIBRATION) == NO_DOUBT
    assert of(a_mask("left kidney", volume_ml=200.0, **parts), CALIBRATION)
    high = {"height_offset_mm": 240.0, "volume_ml": 90.0}
    assert of(a_mask("spinal cord", **high), CALIBRATION) == NO_DOUBT
    assert of(a_mask("left kidney", **high), CALIBRATION).verdict is ABSENT
    assert of(a_mask("left kidney", volume_ml=1200.0), CALIBRATION).verdict is CHECK
    assert of(a_mask("lung nodule", volume_ml=0.001), CALIBRATION) == NO_DOUBT


def test_what_nobody_measured_is_no_reason():
    mask = a_mask()
    assert math.isnan(mask.statistics.unsure_share)
    assert of(mask, CALIBRATION) == NO_DOUBT
    assert str(NO_DOUBT) == ""


def test_in_words():
    doubt = of(a_mask(part_count=2, second_part_share=0.644, second_part_distance_mm=41.2), CALIBRATION)
    assert str(doubt) == "check: 2 separate parts (the second 64 % as large as the first, 41 mm away)"
    doubt = of(a_mask(height_offset_mm=-243.0, volume_ml=6.04), CALIBRATION)
    assert str(doubt) == (
        "probably not in this image: 24 cm below where the other structures put it; only 6 ml"
    )


def test_without_calibration_reasons_are_said_and_not_judged():
    doubt = of(a_mask(unsure_share=0.6, wrong_side_share=1.0), None)
    assert [reason.code for reason in doubt.reasons] == ["wrong_side", "unsure"]
    assert doubt.verdict is Verdict.NONE


@pytest.mark.parametrize("origin", [Origin(Maker.EDITED), Origin(recipe="a = b + c"), Origin(Maker.UNKNOWN)])
def test_nothing_is_said_of_what_the_model_did_not_make(origin):
    assert of(replace(a_mask(wrong_side_share=1.0), origin=origin), CALIBRATION) == NO_DOUBT


def test_nothing_is_said_of_an_empty_mask():
    empty = FakeSegmenter().segment(phantom(), ["spleen"])["spleen"]
    assert of(replace(empty, statistics=replace(empty.statistics, unsure_share=1.0)), CALIBRATION) == NO_DOUBT


@pytest.mark.parametrize(
    ("bad", "good", "said"), [(2, 4, True), (1, 3, False), (2, 1, False), (3, 10, False)]
)
def test_most_results_look_doubtful(bad, good, said):
    masks = (a_mask(wrong_side_share=1.0),) * bad + (a_mask(),) * good
    caution = about_most(masks, CALIBRATION)
    assert (caution is not None) == said
    if caution is not None:
        assert dict(caution.values) == {"count": bad, "total": bad + good}
    assert about_most(masks, None) is None


def test_what_is_left_out_of_a_result_is_not_counted():
    """Parts that are only asked for to tidy a whole, and operands of derived structures."""
    odd, good = a_mask(wrong_side_share=1.0), a_mask()
    found = FakeSegmenter().segment(phantom(), ["left lung"])
    told = ("a note", about_most((odd, odd, good, good), CALIBRATION))
    provenance = {"calibration": CALIBRATION.to_values()}
    for masks, said in (((odd, good, good, good), []), ((odd, odd, good, good, good), [(2, 5)])):
        left = counted_anew(Segmentation(found.geometry, masks, provenance, told))
        assert left.warnings[0] == "a note"
        assert [(each.values["count"], each.values["total"]) for each in left.warnings[1:]] == said
    derived = replace(odd, origin=Origin(recipe="a = b + c"))
    assert about_most((odd, odd, good, derived), CALIBRATION) is None


def test_the_calibration_travels_in_the_provenance():
    result = FakeSegmenter().segment(phantom(), ["left lung"])
    odd = (a_mask(wrong_side_share=1.0),)
    for values in (CALIBRATION.to_values(), list(CALIBRATION.to_values())):
        (doubt,) = of_all(Segmentation(result.geometry, odd, {"calibration": values}))
        assert doubt.verdict is Verdict.CHECK
    for provenance in ({}, {"calibration": "x"}, {"calibration": (0.1,)}, {"calibration": (1, 2, 0.5, 1)}):
        (doubt,) = of_all(Segmentation(result.geometry, odd, provenance))
        assert doubt.verdict is Verdict.NONE


@pytest.mark.parametrize("text", ["", "1,2", "a,b,c,d", "0.1,0.2,1.5,3", "0.1,0.2,1,3,4"])
def test_text_that_is_no_calibration(text):
    assert Calibration.from_text(text) is None
