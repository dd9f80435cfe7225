"""The local engine against the plain pipeline, and its promises."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from plain_pipeline import probabilities
from tiny_engine import CONFIG, NAMES, assert_same, phantom, segmenter

from textsegment.effort import Effort
from textsegment.errors import (
    CancelledError,
    ModalityError,
    PromptError,
    UnknownStructureError,
    VolumeInvalidError,
)
from textsegment.geometry import Box, Geometry
from textsegment.inference import pipeline as pipeline_module
from textsegment.inference.accumulate import ProbabilityBox
from textsegment.inference.image.canonical import to_canonical
from textsegment.inference.image.intensity import normalize
from textsegment.inference.image.restore import restore_mask
from textsegment.segmenter import CancelToken, Event, MaskReady, Progress
from textsegment.volume import Volume


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_equals_the_plain_pipeline(modality: str) -> None:
    volume = phantom(modality=modality)
    engine = segmenter()
    result = engine.segment(volume, NAMES)
    canonical = to_canonical(volume, spacing=CONFIG.spacing)
    queries = engine.model.text_encoder.encode(list(NAMES), modality)
    expected = probabilities(engine.network, normalize(canonical.voxels, modality), queries)
    assert 0.05 < (expected > 0.5).mean() < 0.95
    box = Box((0, 0, 0), canonical.geometry.spatial_shape)
    for mask, probability in zip(result, expected, strict=True):
        levels = np.where(probability > 0.5, np.clip(np.round(probability * 254), 128, 254), 0)
        levels = np.where(probability > 0.5, levels, np.clip(np.round(probability * 254), 0, 127))
        plain = restore_mask(mask.structure, ProbabilityBox(box, levels.astype(np.uint8)), canonical, volume)
        shape = volume.geometry.spatial_shape
        assert (mask.full(shape) == plain.full(shape)).mean() >= 0.9999
        assert mask.statistics.mean_confidence == pytest.approx(plain.statistics.mean_confidence, abs=1e-3)
        assert mask.statistics.mean_intensity == pytest.approx(plain.statistics.mean_intensity, rel=1e-3)


def test_canonical_masks_equal_the_plain_ones_voxel_by_voxel() -> None:
    # On a scan that lies on the canonical grid already, the way back changes nothing.
    source = phantom(modality="MR")
    shape = source.geometry.spatial_shape
    voxels = np.abs(source.voxels) + 1
    volume = Volume(voxels, Geometry(shape, np.diag([*CONFIG.spacing, 1])), "MR")
    engine = segmenter()
    result = engine.segment(volume, NAMES)
    queries = engine.model.text_encoder.encode(list(NAMES), "MR")
    expected = probabilities(engine.network, normalize(voxels, "MR"), queries) > 0.5
    masks = np.stack([mask.full(shape) for mask in result])
    assert 0.05 < expected.mean() < 0.95
    assert (masks == expected).mean() >= 0.9999


def test_a_further_prompt_never_runs_the_unet_nor_the_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = segmenter()
    volume = phantom()
    first = engine.segment(volume, ["liver", "aorta"])
    patches = engine.network.encoded
    assert patches > 1
    monkeypatch.setattr(pipeline_module, "to_canonical", None)
    monkeypatch.setattr(pipeline_module, "normalize", None)
    assert_same(engine.segment(volume, ["liver", "aorta"]), first)
    engine.segment(volume, NAMES)
    assert engine.network.encoded == patches


def test_embeddings_are_made_once() -> None:
    engine = segmenter()
    engine.segment(phantom(), ["liver", "aorta"])
    engine.segment(phantom(seed=1), ["aorta", "liver", "heart"])
    assert engine.model.text_encoder.encoded == len(NAMES)  # with the landmarks, all names that it has


def test_prompts_do_not_influence_each_other() -> None:
    volume = phantom()
    together = segmenter().segment(volume, NAMES)
    alone = segmenter().segment(volume, ["spleen"])
    np.testing.assert_array_equal(together.full_mask("spleen"), alone.full_mask("spleen"))


def test_groups_of_prompts_give_the_same_and_share_the_unet(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = phantom()
    whole = segmenter()
    expected = whole.segment(volume, NAMES)
    monkeypatch.setattr(pipeline_module, "accumulator_bytes", lambda config, precision: 1)
    one_by_one = segmenter()
    assert_same(one_by_one.segment(volume, NAMES), expected)
    assert one_by_one.network.encoded == whole.network.encoded


def test_without_a_cache_all_prompts_go_in_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = phantom()
    whole = segmenter()
    expected = whole.segment(volume, NAMES)
    monkeypatch.setattr(pipeline_module, "accumulator_bytes", lambda config, precision: 1)
    bare = segmenter(feature_cache_bytes=0)
    assert_same(bare.segment(volume, NAMES), expected)
    assert bare.network.encoded == whole.network.encoded
    assert bare.cache.used_bytes(on_device=False) == 0
    bare.segment(volume, NAMES)
    assert bare.network.encoded == 2 * whole.network.encoded


def test_events() -> None:
    events: list[Event] = []
    result = segmenter().segment(phantom(), NAMES, on_event=events.append)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.1
    assert fractions[-1] == 1
    assert len([f for f in fractions if 0.1 < f < 0.9]) > 5
    ready = [event.mask for event in events if isinstance(event, MaskReady)]
    assert tuple(ready) == result.masks
    assert isinstance(events[-1], Progress)


def test_masks_arrive_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "accumulator_bytes", lambda config, precision: 1)
    at: list[float] = [0.0]
    ready: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            at[0] = event.fraction
        else:
            ready.append(at[0])

    segmenter().segment(phantom(), NAMES, on_event=listen)
    assert ready[0] < 0.95
    assert len(set(ready)) > 3


def test_cancelled_within_a_patch() -> None:
    engine = segmenter()
    cancel = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "encoding":
            cancel.cancel()

    with pytest.raises(CancelledError):
        engine.segment(phantom(), ["liver"], on_event=stop, cancel=cancel)
    assert engine.network.encoded == 1
    assert not any(module._forward_hooks for module in engine.network.modules())
    assert len(engine.segment(phantom(), ["liver"])) == 1


def test_cancelled_while_waiting_for_its_turn() -> None:
    engine = segmenter()
    started, go_on = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        started.set()
        go_on.wait(120)

    holder = threading.Thread(target=engine.segment, args=(phantom(), ["liver"]), kwargs={"on_event": hold})
    holder.start()
    assert started.wait(120)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledError):
        engine.segment(phantom(), ["liver"], cancel=cancel)
    go_on.set()
    holder.join(120)
    assert not holder.is_alive()


def test_overlapping_structures_are_all_kept() -> None:
    result = segmenter().segment(phantom(), NAMES)
    masks = np.stack([mask.full(phantom().geometry.spatial_shape) for mask in result])
    assert (masks.sum(axis=0) > 1).any()


def test_statistics() -> None:
    volume = phantom()
    for mask in segmenter().segment(volume, NAMES):
        full, s = mask.full(volume.geometry.spatial_shape), mask.statistics
        assert s.voxel_count == full.sum()
        assert s.volume_ml == pytest.approx(full.sum() * 0.025)
        assert s.mean_intensity == pytest.approx(volume.voxels[full].mean(), rel=1e-5)
        assert 0.5 <= s.mean_confidence <= 1


def test_provenance_holds_nothing_of_the_patient() -> None:
    volume = phantom()
    provenance = segmenter().segment(volume, ["liver"]).provenance
    assert provenance["model"] == "tiny"
    assert provenance["weights_sha256"] == "0" * 64
    assert provenance["precision"] == "float32"
    assert volume.digest not in str(provenance)


def test_duplicates_are_merged_with_a_warning() -> None:
    result = segmenter().segment(phantom(), ["Liver", " liver", "spleen"])
    assert [mask.structure for mask in result] == ["liver", "spleen"]
    assert any("twice" in warning for warning in result.warnings)


def test_warnings_of_the_scan_come_back_from_the_cache_too() -> None:
    voxels = phantom().voxels - 5000
    volume = Volume(voxels, phantom().geometry, "MR", ("a warning of the file",))
    engine = segmenter()
    first, second = engine.segment(volume, ["liver"]), engine.segment(volume, ["spleen"])
    assert first.warnings == second.warnings
    assert first.warnings[0] == "a warning of the file"
    assert any("above zero" in warning for warning in first.warnings)


def test_bad_requests() -> None:
    engine = segmenter()
    with pytest.raises(UnknownStructureError) as unknown:
        engine.segment(phantom(), ["livr"])
    assert unknown.value.suggestions[0] == "liver"
    with pytest.raises(PromptError):
        engine.segment(phantom(), [])
    with pytest.raises(ModalityError):
        engine.segment(phantom(modality="PT"), ["liver"])
    with pytest.raises(VolumeInvalidError):
        engine.segment(Volume(np.zeros((9, 9, 9)), Geometry((9, 9, 9), np.eye(4)), "CT"), ["liver"])
    assert engine.network.encoded == 0


@pytest.mark.parametrize("shape", [(1, 1, 2), (40, 40, 1), (1, 60, 50)])
def test_tiny_volumes(shape: tuple[int, int, int]) -> None:
    voxels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1
    result = segmenter().segment(Volume(voxels, Geometry(shape, np.diag([2.0, 2, 9, 1])), "MR"), NAMES)
    assert len(result) == len(NAMES)
    assert result.warnings


def test_sagittal_spine_runs_in_its_own_orientation() -> None:
    source = phantom(modality="MR")
    voxels = np.ascontiguousarray(source.voxels.transpose(2, 0, 1))
    turn = np.zeros((4, 4))
    turn[[2, 0, 1, 3], [0, 1, 2, 3]] = 1
    affine = np.diag([5.0, 1.2, 1.2, 1.0])  # thick slices from left to right
    volume = Volume(voxels, Geometry(voxels.shape, affine), "MR")
    engine = segmenter()
    assert engine.segment(volume, ["vertebrae", "sacrum"]).provenance["orientation"] == "ASR"
    assert engine.segment(volume, ["vertebrae", "liver"]).provenance["orientation"] == "RAS"
    as_ct = replace(volume, modality="CT")
    assert engine.segment(as_ct, ["vertebrae"]).provenance["orientation"] == "RAS"
    assert segmenter(orientation="RAS").segment(volume, ["sacrum"]).provenance["orientation"] == "RAS"


def test_a_region_costs_the_patches_that_touch_it_and_the_rest_comes_later() -> None:
    volume = phantom()
    whole = segmenter()
    expected = whole.segment(volume, NAMES)
    corner = Effort(Box((4, 4, 4), (10, 10, 10)))
    engine = segmenter()
    result = engine.segment(volume, NAMES, effort=corner)
    some = engine.network.encoded
    assert 0 < some < whole.network.encoded / 2
    assert result.provenance["region"] == (4, 4, 4, 10, 10, 10)
    assert_same(engine.segment(volume, NAMES), expected)
    assert engine.network.encoded == whole.network.encoded  # nothing twice
    assert engine.segment(volume, NAMES, effort=corner).provenance["region"] == (4, 4, 4, 10, 10, 10)
    assert engine.network.encoded == whole.network.encoded


def test_a_region_of_air_costs_nothing() -> None:
    engine = segmenter()
    result = engine.segment(phantom(), NAMES, effort=Effort(Box((0, 0, 0), (1, 1, 1))))
    assert all(mask.statistics.is_empty for mask in result)
    assert engine.network.encoded <= 1


def test_fast_takes_fewer_patches_of_a_large_image() -> None:
    volume = phantom((150, 52, 44))
    careful, fast = segmenter(), segmenter()
    whole = careful.segment(volume, NAMES)
    result = fast.segment(volume, NAMES, effort=Effort(fast=True))
    assert fast.network.encoded < careful.network.encoded
    assert result.provenance["overlap"] == 0.25
    assert "overlap" not in whole.provenance
