"""What the engine measures about masks, on phantoms that are known to the voxel."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from tiny_engine import CountingSAT, phantom, tiny_model

from textsegment.effort import Effort
from textsegment.geometry import Box, Geometry
from textsegment.inference.accumulate import LEVELS, ProbabilityBox
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.image.patches import PatchGrid
from textsegment.inference.measure.coarse import CoarseDecoder, coarse_step, thinned
from textsegment.inference.measure.measurements import measure
from textsegment.inference.measure.parts import parts_of
from textsegment.inference.measure.shift import shift_agreement, shifted
from textsegment.inference.measure.surroundings import Surroundings, landmarks_in, parts_in
from textsegment.segmenter import Estimated

# RAS axes, 3 mm voxels, and an origin that no error would hide.
GRID = Geometry((60, 50, 140), np.array([[3.0, 0, 0, -70], [0, 3, 0, -200], [0, 0, 3, -90], [0, 0, 0, 1]]))
STEP = coarse_step(GRID.spacing)


def block(start, stop, level=250) -> ProbabilityBox:
    box = Box(start, stop)
    return ProbabilityBox(box, np.full(box.shape, level, dtype=np.uint8))


def around(**blocks) -> Surroundings:
    found = {name.replace("_", " "): b and thinned(b, STEP) for name, b in blocks.items()}
    return Surroundings(found, GRID, STEP)


def abdomen(**blocks) -> Surroundings:
    """Liver and bladder, 345 and 60 mm above a pelvic floor at S = -110; and other structures."""
    liver, bladder = block((20, 20, 98), (40, 40, 119)), block((25, 20, 10), (35, 30, 17))
    return around(liver=liver, urinary_bladder=bladder, **blocks)


def measured(name, probability, surroundings=None, parts=(), within=None):
    return measure(name, probability, GRID, surroundings, parts, STEP, within)


def test_unsure_share_counts_the_voxels_below_seven_tenths():
    probability = block((5, 5, 5), (15, 15, 15))
    probability.levels[:2] = round(0.6 * LEVELS)
    probability.levels[2:3] = round(0.4 * LEVELS)  # not in the mask
    assert measured("liver", probability)["unsure_share"] == pytest.approx(2 / 9)


def test_parts_their_size_and_their_distance():
    mask = np.zeros((40, 30, 20), dtype=bool)
    mask[2:12, 5:15, 5:15] = True
    assert parts_of(mask, (1, 2, 3)).count == 1
    assert math.isnan(parts_of(mask, (1, 2, 3)).distance_mm)
    mask[12, 15, 15] = True  # touches by a corner
    mask[30:35, 5:15, 5:15] = True
    mask[39, 29, 19] = True  # a speck
    found = parts_of(mask, (1.0, 2.0, 3.0))
    assert found.count == 2
    assert found.second_share == pytest.approx(500 / 1001)
    assert found.distance_mm == pytest.approx(19, abs=1)


def test_parts_of_a_large_mask_are_the_same_to_a_block():
    mask = np.zeros((300, 200, 90), dtype=bool)
    mask[20:120, 20:150, 10:80] = True
    mask[200:250, 20:150, 10:80] = True
    found = parts_of(mask, (1.0, 1.0, 3.0))
    assert (found.count, found.second_share) == (2, pytest.approx(0.5))
    assert found.distance_mm == pytest.approx(81, abs=4)


def test_side_is_judged_from_the_midline_of_the_landmarks():
    spine = block((29, 10, 0), (31, 12, 80))  # R from 17 to 23 mm
    there = around(vertebrae=spine, left_kidney=None)
    assert there.midline_mm == pytest.approx(20, abs=3)
    on_the_left, on_the_right = block((5, 5, 5), (20, 20, 20)), block((40, 5, 5), (50, 20, 20))
    assert measured("left lung", on_the_left, there)["wrong_side_share"] == 0
    assert measured("left lung", on_the_right, there)["wrong_side_share"] == 1
    assert measured("right lung", on_the_left, there)["wrong_side_share"] == 1
    assert math.isnan(measured("liver", on_the_left, there)["wrong_side_share"])


def test_the_midline_lies_between_pairs_and_not_in_what_is_cut_off_at_the_side():
    pair = around(left_lung=block((10, 5, 5), (20, 9, 9)), right_lung=block((40, 5, 5), (50, 9, 9)))
    assert pair.midline_mm == pytest.approx(-70 + 3 * 29.5, abs=3)
    assert math.isnan(around(liver=block((40, 5, 5), (50, 9, 9))).midline_mm)
    for start, stop in ((0, 8), (50, 60)):
        assert math.isnan(around(vertebrae=block((start, 5, 5), (stop, 9, 9))).midline_mm)
    unsure = block((20, 5, 5), (30, 9, 9), round(0.6 * LEVELS))
    assert math.isnan(around(vertebrae=unsure).midline_mm)


def test_height_is_that_of_the_other_landmarks():
    there = abdomen(spleen=None)
    kidney = block((10, 10, 80), (16, 16, 87))  # 270 mm above the pelvic floor
    assert measured("left kidney", kidney, there)["height_offset_mm"] == pytest.approx(0, abs=5)
    low = replace(kidney, box=Box((10, 10, 3), (16, 16, 10)))
    assert measured("left kidney", low, there)["height_offset_mm"] == pytest.approx(-231, abs=5)
    alone = around(liver=block((20, 20, 98), (40, 40, 119)))
    assert math.isnan(measured("left kidney", kidney, alone)["height_offset_mm"])
    assert math.isnan(measured("lung tumor", kidney, there)["height_offset_mm"])


def test_landmarks_that_contradict_each_other_tell_no_height():
    # Kidneys beside a brainstem are mistaken for them, both of them alike: they count as one.
    stem, left = block((28, 20, 60), (32, 24, 68)), block((10, 10, 50), (16, 16, 58))
    right = replace(left, box=Box((44, 10, 50), (50, 16, 58)))
    head = around(brainstem=stem, left_kidney=left, right_kidney=right)
    for name, place in (("mandible", left), ("brainstem", stem)):
        assert math.isnan(measured(name, place, head)["height_offset_mm"])
    body = around(left_kidney=left, right_kidney=right, heart=block((20, 20, 98), (40, 40, 110)))
    assert measured("mandible", stem, body)["height_offset_mm"] < -200


def test_what_another_structure_claims_and_what_may_lie_in_it():
    lung = block((10, 10, 120), (30, 30, 140), 200)
    there = abdomen(
        heart=block((10, 10, 120), (20, 30, 140), 220), trachea=block((10, 10, 120), (30, 30, 140))
    )
    assert measured("left lung", lung, there)["claimed_share"] == pytest.approx(0.5)
    stronger = replace(lung, levels=lung.levels + 30)
    assert measured("left lung", stronger, there)["claimed_share"] == 0
    assert measured("left lung", lung, abdomen(trachea=lung))["claimed_share"] == 0


def test_only_landmarks_that_the_others_confirm_claim():
    """Small models take the neck for back muscles, a salivary gland for a kidney, and a heart for a brain."""
    gland = block((10, 10, 50), (20, 20, 58), 220)
    claim = replace(gland, levels=gland.levels + 30)
    for name in ("aorta", "right_kidney"):
        assert math.isnan(measured("left parotid gland", gland, around(**{name: claim}))["claimed_share"])
    lungs = {"left_lung": block((5, 5, 0), (20, 40, 10)), "right_lung": block((40, 5, 0), (55, 40, 10))}
    chest = {"heart": block((20, 20, 0), (40, 40, 8)), "trachea": block((28, 20, 10), (32, 24, 30)), **lungs}
    there = around(right_kidney=claim, **chest)
    assert measured("left parotid gland", gland, there)["claimed_share"] == 0


def test_an_image_that_stands_on_its_head_is_told_by_the_order_of_its_landmarks():
    lungs = {"left_lung": block((5, 5, 0), (20, 40, 20)), "right_lung": block((40, 5, 0), (55, 40, 20))}
    reverse = around(liver=block((20, 20, 30), (40, 40, 50)), **lungs)
    assert reverse.is_upside_down
    assert math.isnan(measured("trachea", block((28, 20, 0), (32, 24, 20)), reverse)["height_offset_mm"])
    upright = abdomen()
    assert not upright.is_upside_down
    # What lies at one height tells nothing, and neither does what fits in neither order.
    assert not around(
        spleen=block((5, 5, 40), (9, 9, 50)), liver=block((20, 20, 30), (40, 40, 40))
    ).is_upside_down
    kidney = block((10, 10, 90), (16, 16, 96))
    assert not around(left_kidney=kidney, trachea=block((28, 20, 70), (32, 24, 80)), **lungs).is_upside_down


def test_a_whole_is_compared_with_the_union_of_its_parts():
    one, other = block((10, 10, 10), (20, 20, 20)), block((40, 10, 10), (50, 20, 20))
    both = ("left kidney", "right kidney")
    there = around(left_kidney=one, right_kidney=other)
    assert measured("kidney", one, there, both)["whole_agreement"] == pytest.approx(2 / 3)
    assert measured("kidney", one, around(left_kidney=None, right_kidney=None), both)["whole_agreement"] == 0
    assert math.isnan(measured("kidney", one, around(left_kidney=one), both)["whole_agreement"])
    assert parts_in("kidney", both, "CT") == both
    assert parts_in("kidney", both[:1], "CT") == ()
    assert parts_in("liver", ("liver",), "CT") == ()


def test_a_region_limits_what_is_measured():
    probability = block((5, 5, 5), (15, 15, 15))
    probability.levels[5:] = round(0.6 * LEVELS)
    assert measured("liver", probability, within=Box((0, 0, 0), (10, 60, 60)))["unsure_share"] == 0
    assert measured("liver", probability, within=Box((0, 0, 40), (10, 60, 60))) == {}


def test_shifting_there_and_back():
    image = np.random.default_rng(3).random((12, 10, 9)).astype(np.float32)
    moved = shifted(image)
    assert moved[4, 4, 4] == pytest.approx(image[3:5, 3:5, 3:5].mean(), rel=1e-5)
    first = block((4, 4, 4), (20, 14, 12))
    for stop, agreement in ((20, 1.0), (12, 2 / 3)):
        again = np.zeros((24, 20, 18), dtype=np.float32)
        again[4:stop, 4:14, 4:12] = 1
        levels = np.round(LEVELS * shifted(again)).astype(np.uint8)
        second = ProbabilityBox(Box((0, 0, 0), again.shape), levels)
        assert shift_agreement(first, second) == pytest.approx(agreement, abs=0.08)
    assert shift_agreement(first, None) == 0


@pytest.mark.parametrize("shape", [(70, 52, 44), (64, 32, 32), (33, 40, 71)])
def test_the_coarse_grid_has_every_nth_voxel_of_the_fine_one(shape):
    """Decoded patch by patch, with patches that begin at odd voxels."""
    model = tiny_model()
    grid = PatchGrid(shape, model.config.patch_size)
    rng = np.random.default_rng(1)
    image = rng.normal(size=np.add(shape, 64)).astype(np.float32)
    queries = model.text_encoder.encode(["liver", "aorta"], "CT")
    step = (2, 3, 2)
    fine = CoarseDecoder(("liver", "aorta"), queries, model.network, grid, (1, 1, 1), torch.device("cpu"))
    coarse = CoarseDecoder(("liver", "aorta"), queries, model.network, grid, step, torch.device("cpu"))
    with torch.inference_mode():
        for box in grid.boxes:
            cut = image[tuple(slice(a, a + n) for a, n in zip(box.start, grid.patch_size, strict=True))]
            features = model.network.encode_image(torch.tensor(cut.copy())[None, None])
            fine.add(box, features, 2**18)
            coarse.add(box, features, 2**18)
    for name, probability in coarse.finish().items():
        expected = thinned(fine.finish()[name], step) if probability else None
        if probability is None:
            continue
        inside = expected.levels > LEVELS / 2
        whole = np.zeros([-(-n // s) for n, s in zip(shape, step, strict=True)], dtype=np.uint8)
        whole[probability.box.slices] = probability.levels
        assert inside.any()
        assert np.abs(whole[expected.box.slices][inside].astype(int) - expected.levels[inside]).max() <= 1


def close(one, other) -> bool:
    """The same but for the rounding of a matrix product, which depends on its size."""
    told, again = asdict(one), asdict(other)
    return all(again[name] == pytest.approx(value, rel=1e-3, nan_ok=True) for name, value in told.items())


@pytest.fixture(scope="module")
def engine():
    network = CountingSAT()
    return LocalSegmenter(tiny_model(network=network), device="cpu", precision="fp32", threads=1), network


@pytest.fixture
def believed(monkeypatch):
    """Let every landmark claim: those of random weights lie anywhere, so that none confirms another."""
    monkeypatch.setattr(Surroundings, "_is_credible", lambda *_: True)


def test_landmarks_are_decoded_once_a_scan_and_cost_no_encoding(engine, believed):
    segmenter, network = engine
    encoder, volume = segmenter.model.text_encoder, phantom()
    names = segmenter.info().structures["CT"]
    assert set(landmarks_in(names)) == set(names)
    before = encoder.encoded
    first = segmenter.segment(volume, ["liver"])
    assert encoder.encoded - before == 1 + len(names) - 1  # each prompt of the model is embedded once
    encoded, (scan,) = network.encoded, segmenter.cache._scans.values()
    assert set(scan.coarse) == set(names)
    again = segmenter.segment(volume, ["liver", "left kidney"])
    assert network.encoded == encoded
    assert close(again["liver"].statistics, first["liver"].statistics)
    assert first.provenance.get("midline_mm") == again.provenance.get("midline_mm")
    told = again["left kidney"].statistics
    assert 0 <= told.unsure_share <= 1
    assert told.part_count >= 1
    assert 0 <= told.claimed_share <= 1
    assert math.isnan(told.shift_agreement)


def test_what_is_measured_does_not_depend_on_what_else_is_asked(engine):
    segmenter, _ = engine
    names = segmenter.info().structures["CT"]
    alone = [segmenter.segment(phantom(), [name])[name].statistics for name in names]
    together = segmenter.segment(phantom(), names)
    for one, mask in zip(alone, together, strict=True):
        assert close(one, mask.statistics)


def test_a_region_decodes_no_landmarks_and_uses_those_that_are_there(engine, believed):
    segmenter, _ = engine
    volume = phantom(seed=1)
    effort = Effort(Box((10, 8, 8), (60, 44, 40)))
    told = segmenter.segment(volume, ["liver"], effort=effort)["liver"].statistics
    assert not math.isnan(told.unsure_share)
    assert math.isnan(told.claimed_share)
    segmenter.segment(volume, ["liver"])
    assert not math.isnan(
        segmenter.segment(volume, ["liver"], effort=effort)["liver"].statistics.claimed_share
    )


def test_an_image_that_stands_on_its_head_is_said_to(engine, monkeypatch):
    segmenter, _ = engine
    monkeypatch.setattr(Surroundings, "_is_upside_down", lambda _: True)
    for _ in range(2):
        warnings = segmenter.segment(phantom(seed=3), ["liver"]).warnings
        assert [warning.code for warning in warnings if hasattr(warning, "code")].count("upside_down") == 1


def test_in_the_orientation_for_the_spine_no_landmarks_are_decoded():
    segmenter = LocalSegmenter(tiny_model(), device="cpu", precision="fp32", threads=1, orientation="ASR")
    told = segmenter.segment(phantom(), ["vertebrae", "liver"])["liver"].statistics
    (scan,) = segmenter.cache._scans.values()
    assert scan.coarse == {}
    assert told.part_count >= 1
    assert math.isnan(told.height_offset_mm)


def test_a_check_computes_everything_again_and_says_so_beforehand(engine):
    segmenter, network = engine
    volume, events = phantom(seed=2), []
    plain = segmenter.segment(volume, ["liver"], on_event=events.append)
    patches, before = network.encoded, network.encoded
    checked = segmenter.segment(volume, ["liver"], effort=Effort(check=True), on_event=events.append)
    first, second = (event for event in events if isinstance(event, Estimated))
    assert second.patches == first.patches == network.encoded - before
    assert patches > 0
    assert 0 < checked["liver"].statistics.shift_agreement < 1
    assert np.array_equal(checked["liver"].mask, plain["liver"].mask)
    assert checked.provenance["check"] is True
    assert len(segmenter.cache._scans) > 0  # features of the shifted image are not kept
    assert all(len(scan.patches) <= len(scan.grid.boxes) for scan in segmenter.cache._scans.values())
