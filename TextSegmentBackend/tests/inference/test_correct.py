"""Corrections by the engine: which patches run, what is kept, and that the image is looked at."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
import torch
from tiny_engine import CONFIG, CountingSAT, phantom, tiny_model

from textsegment.correction import Edit
from textsegment.geometry import Box, Geometry
from textsegment.inference import pipeline as pipeline_module
from textsegment.inference.correct import corrector as corrector_module
from textsegment.inference.correct.cells import CellGrid
from textsegment.inference.correct.gather import canonical_places, gather
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.image.canonical import to_canonical
from textsegment.inference.image.patches import PatchGrid
from textsegment.model.sat import PatchFeatures
from textsegment.origin import Maker
from textsegment.segmentation import StructureMask
from textsegment.segmenter import Estimated
from textsegment.volume import Volume

SHAPE = (50, 44, 36)


def engine(**options) -> LocalSegmenter:
    return LocalSegmenter(tiny_model(), device="cpu", precision="fp32", threads=1, **options)


def lump(geometry, centre, radius_mm):
    index = np.indices(geometry.spatial_shape).reshape(3, -1).T
    away = np.linalg.norm(geometry.to_ras(index) - geometry.to_ras(centre), axis=1)
    return (away <= radius_mm).reshape(geometry.spatial_shape)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
GRIDS = {
    "thick slices": np.diag([1.5, 1.5, 6.0]),
    "oblique": TURN @ np.diag([-2.0, 2.5, 3.0]),
    "sagittal slices": np.diag([4.0, 1.0, 1.0])[:, [1, 2, 0]],
}


@pytest.mark.parametrize(("grid", "axis"), [("thick slices", 2), ("oblique", 0), ("sagittal slices", 1)])
def test_a_bright_ball_is_found_between_slices_across_any_axis(grid, axis):
    """Only the image tells that it is a ball: the slices that are drawn leave much room between them."""
    affine = np.eye(4)
    affine[:3, :3] = GRIDS[grid]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    geometry = Geometry(tuple(int(n) for n in np.ceil(100 / spacing)), affine)
    centre = np.array(geometry.spatial_shape) / 2 + [0.3, -0.4, 0.2]
    true = lump(geometry, centre, 24)
    noise = np.random.default_rng(0).normal(0, 15, true.shape)
    volume = Volume(np.where(true, 120, 20) + noise, geometry, "CT")
    old = lump(geometry, centre + 7 / spacing, 14)
    lies = np.flatnonzero(true.any(axis=tuple(a for a in range(3) if a != axis)))
    edits = [Edit.slice_of(true, axis, int(lies[round(s * (len(lies) - 1))])) for s in (0.2, 0.5, 0.8)]
    base = StructureMask.measured("it", old, geometry)
    new = engine().correct(volume, edits=edits, base=base).full(true.shape)
    assert all(np.array_equal(new[edit.box.slices], edit.inside) for edit in edits)
    assert dice(new, true) > max(0.9, dice(old, true) + 0.3)


def test_a_slice_that_was_erased_does_not_take_all_of_a_structure_with_it(monkeypatch):
    """Even if the trees learn from it that nothing belongs to the structure."""
    monkeypatch.setattr(
        corrector_module, "learn_and_decide", lambda columns, *_, **__: np.zeros(len(columns), np.float32)
    )
    geometry = Geometry((40, 36, 40), np.diag([2.0, 2.0, 5.0, 1.0]))
    i, j, k = np.indices(geometry.spatial_shape)
    tube = (np.hypot(i - 20, j - 18) < 5) & (abs(k - 20) < 8)
    noise = np.random.default_rng(0).normal(0, 15, tube.shape)
    volume = Volume(np.where(tube, 120, 20) + noise, geometry, "CT")
    base = StructureMask.measured("tube", tube, geometry)
    erased = Edit.slice_of(np.zeros_like(tube), 2, 20)
    new = engine().correct(volume, edits=[erased], base=base).full(tube.shape)
    assert not new[:, :, 20].any()
    for far in (slice(0, 14), slice(27, 40)):  # 35 mm and more away
        assert np.array_equal(new[:, :, far], tube[:, :, far])


def ball_with_noise(radius_mm, shape=(40, 40, 40)):
    geometry = Geometry(shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    ball = lump(geometry, [n / 2 for n in shape], radius_mm)
    noise = np.random.default_rng(0).normal(0, 15, ball.shape)
    volume = Volume(np.where(ball, 120, 20) + noise, geometry, "CT")
    return volume, ball, StructureMask.measured("ball", ball, geometry)


def test_slices_that_were_erased_never_take_the_far_end_of_a_small_structure(monkeypatch):
    monkeypatch.setattr(
        corrector_module, "learn_and_decide", lambda columns, *_, **__: np.zeros(len(columns), np.float32)
    )
    volume, ball, base = ball_with_noise(14)
    erased = [Edit.slice_of(np.zeros_like(ball), 2, n) for n in (14, 16)]
    new = engine().correct(volume, edits=erased, base=base).full(ball.shape)
    assert not new[:, :, [14, 16]].any()
    assert ball[:, :, 24:].any()
    assert np.array_equal(new[:, :, 24:], ball[:, :, 24:])


@pytest.mark.parametrize("belongs", [False, True])
def test_a_click_leaves_the_far_end_of_a_structure_as_it_was_whatever_is_learnt_from_it(monkeypatch, belongs):
    monkeypatch.setattr(
        corrector_module,
        "fitted_logits",
        lambda columns, *_: np.full(len(columns), 6 if belongs else -6, np.float32),
    )
    volume, ball, base = ball_with_noise(14)
    near = (20, 20, 11) if belongs else (20, 20, 14)
    click = Edit.stroke(volume.geometry.to_ras(near), volume.geometry, belongs=belongs, radius_mm=3)
    new = engine().correct(volume, edits=[click], base=base).full(ball.shape)
    assert (new[click.box.slices] == belongs)[click.known].all()
    assert np.array_equal(new[:, :, 24:], ball[:, :, 24:])


def drawn(volume, centre=(25, 22, 18), radius_mm=12.0):
    true = lump(volume.geometry, centre, radius_mm)
    return [Edit.slice_of(true, 2, n) for n in (centre[2] - 2, centre[2] + 2)]


def test_kept_features_are_not_computed_again():
    volume, segmenter = phantom((120, 60, 40)), engine()
    segmenter.segment(volume, ["liver"])
    network = segmenter.network
    assert isinstance(network, CountingSAT)
    encoded, events = network.encoded, []
    segmenter.correct(volume, edits=drawn(volume), prompt="liver", on_event=events.append)
    assert network.encoded == encoded
    (cost,) = [event for event in events if isinstance(event, Estimated)]
    assert cost.patches == 0


def test_without_them_only_patches_of_the_region_run_and_it_is_said():
    volume, segmenter = phantom((160, 60, 40)), engine()
    network = segmenter.network
    events = []
    segmenter.correct(volume, edits=drawn(volume, (12, 12, 10)), name="it", on_event=events.append)
    canonical = to_canonical(volume, spacing=CONFIG.spacing)
    patches = len(PatchGrid(canonical.geometry.spatial_shape, CONFIG.patch_size).boxes)
    (cost,) = [event for event in events if isinstance(event, Estimated)]
    assert 0 < cost.patches == network.encoded < patches
    segmenter.correct(volume, edits=drawn(volume, (12, 12, 10)), name="it")
    assert network.encoded == cost.patches


def test_without_memory_for_the_network_the_shape_is_carried_on(monkeypatch):
    volume, segmenter = phantom(SHAPE), engine()
    monkeypatch.setattr(pipeline_module, "encode_patch", lambda *_: (_ for _ in ()).throw(MemoryError()))
    mask = segmenter.correct(volume, edits=drawn(volume), name="it")
    assert "edits_by_shape" in [getattr(warning, "code", "") for warning in mask.warnings]
    assert mask.statistics.voxel_count


def test_features_at_voxels_are_those_of_their_patches():
    shape = (70, 40, 32)
    grid = PatchGrid(shape, CONFIG.patch_size)
    network = tiny_model().network
    image = torch.randn(6, *shape, generator=torch.Generator().manual_seed(1))
    tokens, tiles = torch.randn(2, CONFIG.width), (2, 1, 1)

    def features(number):
        box = grid.boxes[number]
        patch = torch.zeros(6, *CONFIG.patch_size)
        patch[(slice(None), *(slice(n) for n in box.shape))] = image[(slice(None), *box.slices)]
        return PatchFeatures(tokens, tiles, patch)

    index = np.array([[0, 0, 0], [69, 39, 31], [33, 20, 15], [10, 31, 2]], dtype=float)
    seen = gather(index, grid, range(len(grid.boxes)), features, network, None)
    expected = image[(slice(None), *torch.as_tensor(index.T, dtype=torch.long))].T
    assert np.allclose(seen.features, expected, atol=1e-4)
    assert seen.probability is None
    between = gather(np.array([[0.5, 0, 0]]), grid, range(len(grid.boxes)), features, network, None)
    assert np.allclose(between.features, image[:, 0:2, 0, 0].mean(dim=1), atol=1e-4)


def test_cells_lie_where_their_voxels_are():
    geometry = Geometry((200, 160, 90), np.diag([-0.5, 0.7, 2.0, 1.0]))
    cells = CellGrid.over(Box((7, 5, 3), (190, 150, 88)), geometry)
    index = np.indices(geometry.spatial_shape, dtype=np.float32)
    places = cells.indices().reshape(*cells.shape, 3)
    for axis in range(3):
        found = cells.means(index[axis][cells.box.slices])
        inner = tuple(slice(n - 1) for n in cells.shape)
        assert np.allclose(found[inner], places[inner][..., axis], atol=1e-3)
    canonical = to_canonical(Volume(index[0] - 90, geometry, "CT"), spacing=(3, 3, 3)).geometry
    there = canonical_places(cells.indices(), geometry, canonical)
    assert np.allclose(canonical.to_ras(there), geometry.to_ras(cells.indices()))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, bool])
def test_means_of_cells_do_not_overflow(dtype):
    geometry = Geometry((40, 30, 20), np.diag([0.3, 0.4, 0.5, 1.0]))
    cells = CellGrid.over(Box((0, 0, 0), (40, 30, 20)), geometry)
    assert np.prod(cells.strides) > 8
    voxels = np.full((40, 30, 20), 1 if dtype is bool else 30_000, dtype=dtype)
    assert (cells.means(voxels) == voxels.max()).all()


def test_where_nothing_changes_the_old_mask_keeps_its_finest_details():
    geometry = Geometry((160, 160, 60), np.diag([0.5, 0.5, 1.0, 1.0]))
    old = lump(geometry, (80, 80, 30), 22.0)
    old[80, 40:50] ^= True
    noise = np.random.default_rng(0).normal(0, 10, old.shape)
    volume = Volume(np.where(lump(geometry, (80, 80, 30), 22.0), 120, 20) + noise, geometry, "CT")
    base = StructureMask.measured("it", old, geometry)
    edits = [Edit.slice_of(old, 2, n) for n in (25, 35)]
    new = engine().correct(volume, edits=edits, base=base).full(old.shape)
    assert dice(new, old) > 0.985


def test_points_move_the_surface_next_to_them_and_nothing_far_away():
    volume, segmenter = phantom((120, 60, 40)), engine()
    base = segmenter.segment(volume, ["liver"])["liver"]
    old = base.full(volume.voxels.shape)
    at = np.argwhere(old)[0]
    point = Edit.stroke(volume.geometry.to_ras(at), volume.geometry, belongs=False, radius_mm=6)
    mask = segmenter.correct(volume, edits=[point], base=base, prompt="liver")
    new = mask.full(old.shape)
    assert mask.origin.maker is Maker.EDITED
    assert not new[point.box.slices][point.known].any()
    away = np.linalg.norm(volume.geometry.to_ras(np.argwhere(new ^ old)) - volume.geometry.to_ras(at), axis=1)
    assert len(away) >= point.known.sum()
    assert (away < 80).all()


def test_ten_corrections_in_a_row_leak_nothing():
    volume, segmenter = phantom(SHAPE), engine()
    base = segmenter.segment(volume, ["liver"])["liver"]
    edits = drawn(volume)
    first = segmenter.correct(volume, edits=edits, base=base, prompt="liver")
    kept, process = segmenter.cache.used_bytes(on_device=False), psutil.Process()
    before = process.memory_info().rss
    for _ in range(10):
        last = segmenter.correct(volume, edits=edits, base=base, prompt="liver")
    assert segmenter.cache.used_bytes(on_device=False) == kept
    assert process.memory_info().rss - before < 20e6
    assert np.array_equal(first.mask, last.mask)
