"""Edits: how drawn slices are recognised, strokes in millimetres, contradictions, and what is refused."""

import numpy as np
import pytest

from textsegment.correction import Correction, Edit
from textsegment.correction.edit import merged
from textsegment.errors import EditError, GeometryError, PromptError, VolumeInvalidError
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import StructureMask
from textsegment.testing import ball, phantom
from textsegment.volume import Volume

SHAPE = (24, 20, 16)
EVERYTHING = Box((0, 0, 0), SHAPE)


def slices_of(edits):
    """The slices, as pairs of an axis and an index, that cover the whole grid; None for any other edit."""
    found = []
    for edit in edits:
        thin = [axis for axis in range(3) if edit.box.shape[axis] == 1]
        whole = all(
            n == m for axis, (n, m) in enumerate(zip(edit.box.shape, SHAPE, strict=True)) if axis not in thin
        )
        found.append(
            (thin[0], edit.box.start[thin[0]]) if len(thin) == 1 and whole and edit.known.all() else None
        )
    return found


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("numbers", [(5,), (3, 9), (2, 7, 12), (6, 7)])
def test_drawn_slices_are_found_across_any_axis(axis, numbers):
    before = np.zeros(SHAPE, dtype=bool)
    before[4:15, 3:13, 2:14] = True
    after = before.copy()
    for n in numbers:
        np.moveaxis(after, axis, 0)[n, 5:12, 4:11] ^= True
    edits = Edit.between(before, after)
    assert sorted(slices_of(edits)) == [(axis, n) for n in numbers]
    for edit in edits:
        assert np.array_equal(edit.inside, after[edit.box.slices])


def test_slices_across_two_axes():
    before, after = np.zeros((2, *SHAPE), dtype=bool)
    after[4:16, 5:15, 7] = True
    after[10, 5:15, 3:13] = True
    assert sorted(slices_of(Edit.between(before, after))) == [(0, 10), (2, 7)]


def test_a_ball_brush_says_nothing_about_the_rest_of_its_slices():
    before = np.zeros(SHAPE, dtype=bool)
    grid = np.indices(SHAPE)
    after = ((grid - np.array([12, 10, 8])[:, None, None, None]) ** 2).sum(axis=0) <= 16
    (edit,) = Edit.between(before, after)
    assert edit.known.sum() == after.sum()
    assert np.array_equal(merged([edit], EVERYTHING)[1], after)


def test_an_erased_slice_is_known_to_be_empty():
    before = np.zeros(SHAPE, dtype=bool)
    before[4:15, 3:13, 2:14] = True
    after = before.copy()
    after[:, :, 6] = False
    (edit,) = Edit.between(before, after)
    assert (2, 6) in slices_of([edit])
    assert not edit.inside.any()


def test_nothing_changed_is_no_edit():
    mask = np.ones(SHAPE, dtype=bool)
    assert Edit.between(mask, mask) == ()


def test_masks_of_two_grids():
    with pytest.raises(EditError):
        Edit.between(np.zeros(SHAPE, dtype=bool), np.zeros((24, 20, 15), dtype=bool))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_a_stroke_is_round_in_millimetres_on_an_oblique_grid(axes):
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = (turn @ np.diag([1.0, 2.0, 3.0]))[:, axes]
    geometry = Geometry((30, 24, 20), affine)
    centre = geometry.to_ras((14.2, 11.0, 9.6))
    edit = Edit.stroke(centre, geometry, belongs=True, radius_mm=6)
    index = np.argwhere(np.ones(geometry.spatial_shape))
    near = (((geometry.to_ras(index) - centre) ** 2).sum(axis=1) <= 36).reshape(geometry.spatial_shape)
    known = np.zeros(geometry.spatial_shape, dtype=bool)
    known[edit.box.slices] = edit.known
    assert near.any()
    assert np.array_equal(known, near)


def test_a_thin_stroke_has_at_least_the_voxels_of_its_points():
    geometry = phantom().geometry
    edit = Edit.stroke(geometry.to_ras([[3, 4, 5], [9, 4, 5]]), geometry, belongs=False, radius_mm=0.1)
    assert edit.known.sum() == 2
    assert not edit.inside.any()


@pytest.mark.parametrize("point", [(1e6, 0, 0), (float("nan"), 0, 0), (), ((1, 2),)])
def test_points_that_are_not_on_the_image(point):
    with pytest.raises(EditError):
        Edit.stroke(point, phantom().geometry, belongs=True)


@pytest.mark.parametrize("radius_mm", [np.nan, np.inf, -1.0])
def test_a_radius_that_is_no_length(radius_mm):
    with pytest.raises(EditError):
        Edit.stroke((0, 0, 0), Geometry(SHAPE, np.eye(4)), belongs=True, radius_mm=radius_mm)


@pytest.mark.parametrize("axis", [-1, 3])
def test_an_axis_that_is_none(axis):
    mask = np.ones(SHAPE, dtype=bool)
    with pytest.raises(EditError):
        Edit.slice_of(mask, axis, 0)
    with pytest.raises(EditError):
        Edit.between(mask, ~mask, axis=axis)
    with pytest.raises(EditError):
        Edit.slice_of(mask[0], 0, 0)


def test_masks_of_numbers():
    """As label maps hold them: any number but 0 is inside."""
    before, after = np.zeros(SHAPE, dtype=np.uint8), np.zeros(SHAPE, dtype=np.int16)
    before[2:4, 2:4, 3], after[2:6, 2:4, 3] = 1, 7
    (edit,) = Edit.between(before, after, axis=2)
    assert edit.inside.sum() == 8


def test_the_last_of_two_edits_counts():
    one, other = (
        Edit.block(Box((2, 2, 2), (6, 6, 6)), belongs=True),
        Edit.block(Box((4, 4, 4), (9, 9, 9)), belongs=False),
    )
    known, inside, disputed = merged([one, other], EVERYTHING)
    assert disputed == 8
    assert inside.sum() == 64 - 8
    assert known.sum() == 64 + 125 - 8
    assert merged([other, one], EVERYTHING)[1].sum() == 64


@pytest.mark.parametrize(
    ("box", "known", "inside"),
    [
        (Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 1), bool), np.ones((2, 2, 1), bool)),
        (Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2)), np.ones((2, 2, 2))),
        (Box((0, 0, 0), (2, 2, 2)), np.zeros((2, 2, 2), bool), np.ones((2, 2, 2), bool)),
        (Box((0, 0, 0), (0, 2, 2)), np.zeros((0, 2, 2), bool), np.zeros((0, 2, 2), bool)),
    ],
)
def test_edits_that_make_no_sense(box, known, inside):
    with pytest.raises(EditError):
        Edit(box, known, inside)


def disc(volume, structure="liver", index=11):
    return Edit.slice_of(ball(structure, volume.geometry), 2, index)


def mask_of(volume, array, start=(0, 0, 0)):
    return StructureMask.measured("liver", array, volume.geometry, start=start)


def whole(volume, value=True):
    return np.full(volume.geometry.spatial_shape, value)


VOLUME = phantom()
BEYOND = Edit.block(Box((30, 30, 20), (41, 36, 24)), belongs=True)
NOTHING = Edit(Box((0, 0, 0), (1, 1, 1)), np.zeros((1, 1, 1), bool), np.zeros((1, 1, 1), bool))
NOT_IT = Edit.block(Box((0, 0, 0), (3, 3, 3)), belongs=False)


@pytest.mark.parametrize(
    ("edits", "options", "error"),
    [
        ([], {"name": "x"}, EditError),
        ([NOTHING], {"name": "x"}, EditError),
        ([BEYOND], {"name": "x"}, EditError),
        ([NOT_IT], {"name": "x"}, EditError),
        ([NOT_IT], {"name": "x", "base": mask_of(VOLUME, whole(VOLUME, False))}, EditError),
        ([NOT_IT], {"base": mask_of(VOLUME, whole(VOLUME))}, EditError),
        ([disc(VOLUME)], {"base": mask_of(VOLUME, np.ones((5, 5, 5), bool), (38, 0, 0))}, EditError),
        ([Edit.block(Box((0, 0, 0), VOLUME.voxels.shape), belongs=True)], {"name": "x"}, EditError),
        ([disc(VOLUME)], {"name": "x", "within": Box((90, 0, 0), (99, 5, 5))}, EditError),
        ([disc(VOLUME)], {}, PromptError),
        ([disc(VOLUME)], {"name": "  "}, PromptError),
        ([disc(VOLUME)], {"name": "a\x07b"}, PromptError),
        ([disc(VOLUME)], {"name": "a" * 201}, PromptError),
        ([disc(VOLUME)], {"prompt": " "}, PromptError),
    ],
)  # fmt: skip
def test_what_cannot_be_corrected(edits, options, error):
    with pytest.raises(error):
        Correction.of(VOLUME, edits, **options)


def test_the_volume_is_checked():
    with pytest.raises(VolumeInvalidError):
        Correction.of(Volume(np.zeros(SHAPE), Geometry(SHAPE, np.eye(4)), "CT"), [NOT_IT], name="x")
    metres = Geometry(VOLUME.voxels.shape, np.diag([1e-3, 1e-3, 1e-3, 1]))
    with pytest.raises(GeometryError):
        Correction.of(Volume(VOLUME.voxels, metres, "CT"), [disc(VOLUME)], name="x")


def test_contradictions_are_said():
    empty = Edit.slice_of(whole(VOLUME, False), 2, 11)
    said = Correction.of(VOLUME, [disc(VOLUME), disc(VOLUME, index=8), empty], name="x").warnings
    (caution,) = [w for w in said if getattr(w, "code", "") == "edits_disagree"]
    assert caution.values["count"] == ball("liver", VOLUME.geometry)[:, :, 11].sum()


def test_the_name_is_that_of_the_mask_or_the_prompt():
    base = mask_of(VOLUME, ball("liver", VOLUME.geometry))
    assert Correction.of(VOLUME, [disc(VOLUME)], base=base).name == "liver"
    assert Correction.of(VOLUME, [disc(VOLUME)], prompt="Left  Kidney").name == "left kidney"
    assert Correction.of(VOLUME, [disc(VOLUME)], base=base, name=" My  GTV ").name == "My GTV"
