"""Propagation by shape, on grids with unequal voxels and drawn slices across any axis."""

import numpy as np
import pytest

from textsegment.correction import Edit
from textsegment.correction.distance import distance, signed_distance
from textsegment.correction.parts import touching
from textsegment.correction.propagation import propagate
from textsegment.errors import CancelledError, ModalityError, UnknownStructureError
from textsegment.geometry import Box
from textsegment.origin import Maker
from textsegment.segmentation import StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Progress
from textsegment.testing import FakeSegmenter, ball, phantom

SPACING = (1.0, 1.5, 3.0)


def ellipsoid(centre_mm, radii_mm, shape=(44, 32, 22)):
    index = np.indices(shape).reshape(3, -1).T * SPACING
    return ((((index - centre_mm) / radii_mm) ** 2).sum(axis=1) <= 1).reshape(shape)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def known_slices(truth, axis, numbers):
    known = np.zeros_like(truth)
    np.moveaxis(known, axis, 0)[numbers] = True
    return known, known & truth


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2), (0,)])
def test_distances_are_those_to_the_nearest_voxel(axes):
    mask = np.random.default_rng(1).random((9, 8, 7)) < 0.03
    index = np.indices(mask.shape).reshape(3, -1).T
    apart = (index[:, None] - np.argwhere(mask)) * SPACING
    others = [axis for axis in range(3) if axis not in axes]
    squares = np.where((apart[:, :, others] == 0).all(axis=2), (apart**2).sum(axis=2), np.inf)
    expected = np.minimum(np.sqrt(squares.min(axis=1)), 6.0)
    assert distance(mask, SPACING, 6.0, axes).ravel() == pytest.approx(expected, abs=1e-5)


def test_signed_distance_of_nothing_and_of_everything():
    assert (signed_distance(np.zeros((3, 4, 5), bool), SPACING, 9.0) == -9).all()
    assert (signed_distance(np.ones((3, 4, 5), bool), SPACING, 9.0) == 9).all()


def test_touching_keeps_winding_parts():
    mask = np.zeros((9, 9, 5), dtype=bool)
    mask[0, :, 2] = mask[:, 8, 2] = mask[8, :, 2] = mask[4:, 0, 2] = True
    mask[2, 2, 2] = True
    seeds = np.zeros_like(mask)
    seeds[0, 0, 2] = True
    kept = touching(mask, seeds)
    assert kept.sum() == mask.sum() - 1
    assert not kept[2, 2, 2]
    assert np.array_equal(touching(mask, np.zeros_like(mask)), mask)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("has_base", [True, False])
def test_three_slices_across_any_axis_mend_the_mask(axis, has_base):
    truth = ellipsoid((20, 22, 32), (14, 16, 24))
    old = ellipsoid((24, 25, 32), (8, 9, 20)) if has_base else np.zeros_like(truth)
    lies = np.flatnonzero(truth.any(axis=tuple(a for a in range(3) if a != axis)))
    numbers = [int(lies[round(share * (len(lies) - 1))]) for share in (0.2, 0.5, 0.8)]
    known, inside = known_slices(truth, axis, numbers)
    new = propagate(old, known, inside, SPACING) > 0
    assert np.array_equal(new[known], truth[known])
    assert dice(new, truth) > max(dice(old, truth) + 0.15, 0.85)


def test_an_erased_slice_leaves_what_is_far_from_it():
    old = ellipsoid((20, 22, 32), (14, 16, 24))
    known, inside = known_slices(old & False, 2, [11])
    new = propagate(old, known, inside, SPACING) > 0
    assert not new[known].any()
    far = distance(known, SPACING, 40.0) > 8
    assert dice(new[far], old[far]) > 0.95


def test_slices_across_two_axes_agree():
    truth = ellipsoid((20, 22, 32), (14, 16, 24))
    one, other = known_slices(truth, 2, [10]), known_slices(truth, 0, [20])
    known, inside = one[0] | other[0], one[1] | other[1]
    new = propagate(np.zeros_like(truth), known, inside, SPACING) > 0
    assert np.array_equal(new[known], truth[known])
    alone = propagate(np.zeros_like(truth), *one, SPACING) > 0
    assert dice(new, truth) > dice(alone, truth)


@pytest.mark.parametrize("belongs", [True, False])
def test_a_point_moves_the_surface_next_to_it_only(belongs):
    old = ellipsoid((20, 22, 32), (14, 16, 24))
    known = ellipsoid((37, 22, 32), (2, 2, 3)) if belongs else ellipsoid((32, 22, 32), (2, 2, 3))
    new = propagate(old, known, known & belongs, SPACING) > 0
    assert (new[known] == belongs).all()
    assert (new ^ old).sum() > known.sum()
    far = distance(known, SPACING, 40.0) > 33
    assert far.any()
    assert np.array_equal(new[far], old[far])


def test_a_corrected_mask_of_the_fake():
    volume = phantom()
    true, old = ball("liver", volume.geometry), ball("aorta", volume.geometry)
    base = StructureMask.measured("liver", old, volume.geometry)
    edits = [Edit.slice_of(true, 2, n) for n in (7, 11, 14)]
    events = []
    mask = FakeSegmenter().correct(volume, edits=edits, base=base, on_event=events.append)
    new = mask.full(volume.geometry.spatial_shape)
    assert mask.origin.maker is Maker.EDITED
    assert dice(new, true) > dice(old, true) + 0.2
    for edit in edits:
        assert np.array_equal(new[edit.box.slices], edit.inside)
    assert np.array_equal(base.full(volume.geometry.spatial_shape), old)
    assert mask.statistics.voxel_count == new.sum()
    assert mask.statistics.mean_intensity == pytest.approx(volume.voxels[new].mean(), rel=1e-5)
    assert [type(event) for event in events] == [Progress, Progress, MaskReady]
    assert np.array_equal(FakeSegmenter().correct(volume, edits=edits, base=base).mask, mask.mask)


def test_only_the_box_changes_but_what_was_drawn_stays():
    volume = phantom()
    true, old = ball("liver", volume.geometry), ball("aorta", volume.geometry)
    base = StructureMask.measured("liver", old, volume.geometry)
    within = Box((0, 0, 9), (40, 36, 13))
    edits = [Edit.slice_of(true, 2, n) for n in (7, 11)]
    new = FakeSegmenter().correct(volume, edits=edits, base=base, within=within).full(volume.voxels.shape)
    assert np.array_equal(new[:, :, 13:], old[:, :, 13:])
    assert np.array_equal(new[:, :, 7], true[:, :, 7])
    assert not np.array_equal(new[:, :, 10], old[:, :, 10])


def test_a_prompt_alone_finds_the_old_mask():
    volume = phantom()
    empty = Edit.slice_of(np.zeros(volume.voxels.shape, dtype=bool), 2, 11)
    mask = FakeSegmenter().correct(volume, edits=[empty], prompt="liver")
    assert mask.structure == "liver"
    assert 0 < mask.statistics.voxel_count < ball("liver", volume.geometry).sum()


def test_everything_erased_is_an_empty_mask_that_says_so():
    volume = phantom()
    base = StructureMask.measured("liver", ball("liver", volume.geometry), volume.geometry)
    erased = Edit.block(base.box, belongs=False)
    mask = FakeSegmenter().correct(volume, edits=[erased], base=base)
    assert mask.statistics.is_empty
    assert any("Not found" in warning for warning in mask.warnings)


def test_what_the_model_does_not_know_and_cancelling():
    volume = phantom()
    edits = [Edit.slice_of(ball("liver", volume.geometry), 2, 11)]
    with pytest.raises(UnknownStructureError):
        FakeSegmenter().correct(volume, edits=edits, prompt="livr")
    with pytest.raises(ModalityError):
        FakeSegmenter().correct(phantom(modality="US"), edits=edits, name="liver")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledError):
        FakeSegmenter().correct(volume, edits=edits, name="liver", cancel=cancel)
