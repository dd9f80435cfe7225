"""Tidying: what it removes, what it never does, and that it says so."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from textsegment import doubt
from textsegment.caution import Caution
from textsegment.derive.tidy import companions, is_tidy_by_default, tidy
from textsegment.derive.tidy_rule import TidyRule, rule_for
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.errors import SettingsError
from textsegment.geometry import Geometry
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import MaskReady, ModelInfo
from textsegment.testing import FakeSegmenter, phantom

SHAPE = (40, 30, 20)
# Mirrored, 2 × 2 × 3 mm: x, to the patient's right, grows as i falls; the midline is i = 20.
GRID = Geometry(SHAPE, np.array([[-2.0, 0, 0, 40], [0, 2.0, 0, -7], [0, 0, 3.0, 11], [0, 0, 0, 1]]))
MIDLINE = {"midline_mm": 0.0}


def blocks(*boxes):
    region = np.zeros(SHAPE, dtype=bool)
    for (i, p), (j, q), (k, r) in boxes:
        region[i:p, j:q, k:r] = True
    return region


def made(structure, region):
    return StructureMask.measured(structure, region, GRID)


def segmentation(provenance=MIDLINE, **regions):
    masks = tuple(made(name.replace("_", " "), region) for name, region in regions.items())
    return Segmentation(GRID, masks, provenance)


LARGE = ((2, 12), (5, 15), (3, 13))  # 1000 voxels, on the right


@pytest.mark.parametrize(
    ("structure", "voxels", "stays"),
    [
        ("liver", 150, False),
        ("liver", 250, True),
        ("colon", 40, False),
        ("colon", 60, True),
        ("kidney", 60, True),
        ("kidney", 30, False),
        ("liver tumor", 1, True),
        ("vertebrae", 1, True),
        ("rib", 1, True),
        ("an implant", 1, True),
    ],
)
def test_small_parts_go_by_the_form_of_the_structure(structure, voxels, stays):
    region = blocks(LARGE)
    stray = np.zeros((20, 10, 2), dtype=bool)
    stray.reshape(-1)[:voxels] = True
    region[20:40, 20:30, 15:17] = stray
    raw = segmentation(**{structure: region})
    mask = tidy(raw).masks[0]
    assert np.array_equal(mask.full(SHAPE), region if stays else blocks(LARGE))
    assert [caution.code for caution in mask.warnings] == ([] if stays else ["tidy_parts"])
    assert mask.origin.tidied is not stays
    assert np.array_equal(raw.masks[0].full(SHAPE), region)


def test_what_was_removed_is_said_in_millilitres():
    raw = segmentation(liver=blocks(LARGE, ((30, 35), (0, 5), (0, 4))))
    mask = tidy(raw)["liver"]
    assert mask.warnings == (Caution("tidy_parts", count=1, volume_ml=1.2),)
    assert mask.statistics.volume_ml == pytest.approx(12.0)
    assert raw["liver"].statistics.volume_ml == pytest.approx(13.2)


def test_several_large_parts_all_stay():
    """Never only the largest: a liver that was resected in the middle keeps both halves."""
    region = blocks(((0, 9), (0, 9), (0, 9)), ((20, 28), (0, 9), (0, 9)), ((31, 39), (10, 17), (5, 14)))
    assert np.array_equal(tidy(segmentation(liver=region))["liver"].full(SHAPE), region)


class TestSides:
    def test_what_lies_beyond_the_midline_goes_but_for_five_millimetres(self):
        region = blocks(((10, 30), (5, 15), (3, 13)))
        raw = segmentation(left_kidney=region, right_kidney=region)
        # Half of it is no more than half: the rest is cut on both sides.
        left, right = (tidy(raw)[name].full(SHAPE) for name in ("left kidney", "right kidney"))
        x = GRID.to_ras(np.argwhere(region))[:, 0]
        assert np.array_equal(np.argwhere(left), np.argwhere(region)[x <= 5])
        assert np.array_equal(np.argwhere(right), np.argwhere(region)[x >= -5])

    @pytest.mark.parametrize("angle", [0.0, 0.5, 2.0])
    def test_the_axes_of_the_grid_do_not_matter(self, angle):
        turned = np.eye(4)
        turned[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        grid = Geometry(SHAPE, turned @ GRID.affine)
        region = blocks(((0, 40), (5, 25), (3, 13)))
        x = grid.to_ras(np.argwhere(region))[:, 0]
        middle = float(np.quantile(x, 0.3))
        raw = Segmentation(
            grid, (StructureMask.measured("right lung", region, grid),), {"midline_mm": middle}
        )
        kept = tidy(raw)["right lung"].full(SHAPE)
        assert np.array_equal(np.argwhere(kept), np.argwhere(region)[x >= middle - 5])

    def test_an_organ_is_never_erased_for_its_side(self):
        region = blocks(LARGE)
        mask = tidy(segmentation(left_lung=region))["left lung"]
        assert np.array_equal(mask.full(SHAPE), region)
        assert not mask.origin.tidied

    @pytest.mark.parametrize("structure", ["left heart atrium", "left iliac vena", "liver", "kidney"])
    def test_what_may_cross_the_midline_is_left_alone(self, structure):
        region = blocks(((10, 40), (5, 15), (3, 13)))
        assert not tidy(segmentation(**{structure: region})).masks[0].origin.tidied

    @pytest.mark.parametrize(
        "provenance", [{}, {"midline_mm": None}, {"midline_mm": math.nan}, {"midline_mm": "0"}]
    )
    def test_without_a_midline_sides_are_left_alone(self, provenance):
        region = blocks(((10, 40), (5, 15), (3, 13)))
        raw = segmentation(provenance, left_kidney=region)
        assert not tidy(raw)["left kidney"].origin.tidied


class TestWholes:
    LEFT, RIGHT = blocks(((25, 35), (5, 15), (3, 13))), blocks(LARGE)

    def test_a_whole_that_disagrees_becomes_the_union_of_its_tidied_parts(self):
        stray = self.LEFT.copy()
        stray[38, 28, 18] = True
        raw = segmentation(lung=blocks(((14, 24), (5, 15), (3, 13))), left_lung=stray, right_lung=self.RIGHT)
        mask = tidy(raw, modality="CT")["lung"]
        assert np.array_equal(mask.full(SHAPE), self.LEFT | self.RIGHT)
        assert mask.origin == Origin(union_of=("left lung", "right lung"), tidied=True)
        assert mask.warnings == (
            Caution("tidy_made_of_parts", parts="left lung, right lung", removed_ml=12.0, added_ml=24.0),
        )
        assert not mask.origin.is_derived

    @pytest.mark.parametrize(("lacking", "is_united"), [(3, False), (5, True)])
    def test_a_whole_that_agrees_stays(self, lacking, is_united):
        whole = self.LEFT | self.RIGHT
        first = int(np.flatnonzero(whole.any(axis=(1, 2)))[0])
        whole[first : first + lacking] = False
        raw = segmentation(lung=whole, left_lung=self.LEFT, right_lung=self.RIGHT)
        expected = self.LEFT | self.RIGHT if is_united else whole
        assert np.array_equal(tidy(raw, modality="CT")["lung"].full(SHAPE), expected)

    def test_a_part_that_was_not_found_does_not_make_the_whole_smaller(self):
        nothing = np.zeros(SHAPE, dtype=bool)
        whole = self.LEFT | self.RIGHT
        raw = segmentation(kidney=whole, left_kidney=nothing, right_kidney=self.RIGHT)
        assert np.array_equal(tidy(raw, modality="CT")["kidney"].full(SHAPE), whole)
        raw = segmentation(kidney=whole, left_kidney=nothing, right_kidney=nothing)
        assert np.array_equal(tidy(raw, modality="CT")["kidney"].full(SHAPE), whole)

    def test_a_whole_that_was_not_found_is_made_of_its_parts(self):
        lost = replace(
            made("kidney", np.zeros(SHAPE, dtype=bool)), warnings=(Caution("not_found", structure="kidney"),)
        )
        parts = segmentation(left_kidney=self.LEFT, right_kidney=self.RIGHT)
        mask = tidy(replace(parts, masks=(lost, *parts.masks)), modality="CT")["kidney"]
        assert np.array_equal(mask.full(SHAPE), self.LEFT | self.RIGHT)
        assert [caution.code for caution in mask.warnings] == ["tidy_made_of_parts"]

    def test_it_needs_all_parts_of_the_modality(self):
        wrong = blocks(((14, 24), (5, 15), (3, 13)))
        assert not tidy(segmentation(lung=wrong, left_lung=self.LEFT), modality="CT")["lung"].origin.tidied
        names = ("thoracic vertebrae", "lumbar vertebrae", "sacrum")
        raw = segmentation(vertebrae=wrong, **dict.fromkeys(names, self.LEFT))
        assert tidy(raw, modality="MR")["vertebrae"].origin.union_of == names
        assert not tidy(raw, modality="CT")["vertebrae"].origin.tidied

    def test_a_union_has_the_confidence_of_its_parts(self):
        raw = segmentation(
            lung=blocks(((14, 24), (5, 15), (3, 13))), left_lung=self.LEFT, right_lung=self.RIGHT
        )
        sure = [
            replace(mask, statistics=replace(mask.statistics, mean_confidence=value))
            for mask, value in zip(raw, (0.6, 0.8, 0.9), strict=True)
        ]
        found = tidy(replace(raw, masks=tuple(sure)), modality="CT")["lung"].statistics
        assert found.mean_confidence == pytest.approx(0.85)
        assert found.whole_agreement == 1.0


def test_masks_that_others_made_are_not_touched():
    region = blocks(LARGE, ((30, 33), (0, 3), (0, 3)))
    for origin in (
        Origin(Maker.EDITED),
        Origin(Maker.UNKNOWN),
        Origin(recipe="A = liver"),
        Origin(tidied=True),
    ):
        mask = replace(made("liver", region), origin=origin)
        assert tidy(Segmentation(GRID, (mask,), MIDLINE)).masks[0] is mask


def test_tidying_twice_changes_nothing_more_and_order_does_not_matter():
    regions = {
        "lung": blocks(((14, 24), (5, 15), (3, 13))),
        "left lung": blocks(((25, 35), (5, 15), (3, 13)), ((3, 5), (0, 3), (0, 3))),
        "right lung": blocks(LARGE),
    }
    raw = segmentation(**regions)
    once = tidy(raw, modality="CT")
    assert [a is b for a, b in zip(once, tidy(once, modality="CT"), strict=True)] == [True] * 3
    backwards = tidy(replace(raw, masks=raw.masks[::-1]), modality="CT")
    for mask in once:
        assert np.array_equal(mask.full(SHAPE), backwards[mask.structure].full(SHAPE))


def test_warnings_measurements_and_empty_masks_are_kept():
    region = blocks(LARGE, ((30, 33), (0, 3), (0, 3)))
    mask = replace(made("liver", region), warnings=("It was said before.",))
    statistics = replace(mask.statistics, mean_confidence=0.77, unsure_share=0.1, claimed_share=0.2)
    empty = made("spleen", np.zeros(SHAPE, dtype=bool))
    raw = Segmentation(GRID, (replace(mask, statistics=statistics), empty), MIDLINE, ("Of the image.",))
    result = tidy(raw, voxels=np.ones(SHAPE))
    assert result["liver"].warnings[0] == "It was said before."
    assert len(result["liver"].warnings) == 2
    after = result["liver"].statistics
    assert (after.mean_confidence, after.unsure_share, after.claimed_share) == (0.77, 0.1, 0.2)
    assert (after.voxel_count, after.mean_intensity, after.touches_border) == (1000, 1.0, False)
    assert result["spleen"] is empty
    assert result.warnings == ("Of the image.",)
    assert result.provenance == {"midline_mm": 0.0, "tidy": True}


def test_a_tidied_mask_can_still_be_doubtful():
    mask = made("liver", blocks(LARGE, ((30, 33), (0, 3), (0, 3))))
    mask = replace(mask, statistics=replace(mask.statistics, unsure_share=0.9))
    tidied = tidy(Segmentation(GRID, (mask,), MIDLINE))["liver"]
    assert tidied.origin.tidied
    assert {reason.code for reason in doubt.of(tidied, None).reasons} == {"too_small", "unsure"}


class TestRules:
    def test_a_rule_of_a_site_stands_in_place_of_anatomy(self):
        region = blocks(LARGE, ((30, 35), (0, 5), (0, 4)), ((20, 21), (20, 21), (17, 18)))
        raw = segmentation(liver=region)
        rules = {"liver": TidyRule(least_ml=0.5)}
        kept = tidy(raw, rules=rules)["liver"]
        assert kept.statistics.voxel_count == 1100
        assert not tidy(raw, rules={"liver": TidyRule()})["liver"].origin.tidied

    def test_the_largest_part_stays_however_small_it_is(self):
        raw = segmentation(liver=blocks(((3, 4), (3, 4), (3, 4))))
        assert tidy(raw, rules={"liver": TidyRule(least_ml=100)})["liver"].statistics.voxel_count == 1

    def test_smoothing_removes_a_spike_and_keeps_the_body(self):
        spiked = blocks(LARGE, ((12, 18), (9, 10), (8, 9)))
        mask = tidy(segmentation(liver=spiked), rules={"liver": TidyRule(smooth_mm=2)})["liver"]
        assert [caution.code for caution in mask.warnings] == ["tidy_smoothed"]
        assert not mask.full(SHAPE)[14:18].any()
        assert mask.full(SHAPE)[3:11, 6:14, 4:12].all()

    def test_smoothing_keeps_what_reaches_the_border_of_the_image(self):
        region = blocks(((0, 12), (0, 12), (0, 20)))
        mask = tidy(segmentation(liver=region), rules={"liver": TidyRule(smooth_mm=3)})["liver"]
        assert mask.full(SHAPE)[0, 0].all()
        assert mask.full(SHAPE)[:10, :10, [0, -1]].all()

    def test_smoothing_never_removes_everything(self):
        thin = blocks(((5, 30), (5, 6), (5, 6)))
        mask = tidy(segmentation(liver=thin), rules={"liver": TidyRule(smooth_mm=10)})["liver"]
        assert np.array_equal(mask.full(SHAPE), thin)
        assert not mask.origin.tidied

    @pytest.mark.parametrize(
        "values",
        [{"least_share": 1.2}, {"least_ml": -1}, {"smooth_mm": math.inf}, {"smooth_mm": 21}, {"side": "up"}],
    )
    def test_impossible_rules_are_refused(self, values):
        with pytest.raises(SettingsError):
            TidyRule(**values)

    def test_lesions_have_no_rule_that_removes(self):
        assert not rule_for("lung nodule").changes
        assert not rule_for("lymph node", "PT").changes


class TestRequests:
    def test_parts_are_requested_besides_wholes_and_left_out_again(self):
        events = []
        result = segment_tidily(
            FakeSegmenter(), phantom(), ["lung", "liver", "left lung"], on_event=events.append
        )
        assert [mask.structure for mask in result.raw] == ["lung", "liver", "left lung"]
        assert [mask.structure for mask in result.tidy] == ["lung", "liver", "left lung"]
        shown = [event.mask.structure for event in events if isinstance(event, MaskReady)]
        assert shown == ["lung", "liver", "left lung"]
        # Balls of the fake engine lie anywhere, so the whole becomes the union of the two.
        assert result.tidy["lung"].origin.union_of == ("left lung", "right lung")
        assert not result.raw["lung"].origin.tidied

    def test_only_what_the_model_has_and_what_is_few(self):
        assert companions(["lung"], "CT", ["lung", "left lung"]) == ()
        assert companions(["frontal lobe"], "MR", FakeSegmenter().info().structures["MR"]) == ()
        assert len(companions(["vertebrae", "kidney"], "CT", FakeSegmenter().info().structures["CT"])) == 6

    def test_default_is_on_for_the_demo_and_what_is_calibrated(self):
        demo = ModelInfo("sat-demo", "0", "cpu", {})
        assert is_tidy_by_default(demo)
        assert not is_tidy_by_default(replace(demo, model="sat-nano"))
        measured = doubt.Calibration(0.3, 0.4, 12, 200)
        assert is_tidy_by_default(replace(demo, model="sat-nano", calibration=measured))
