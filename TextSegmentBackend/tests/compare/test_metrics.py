"""Measures of agreement have the known values on shapes whose values are known."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsegment.compare.metrics import added_path_length, dice, measure, surface_distances
from textsegment.compare.surface import surface_of
from textsegment.errors import GeometryError, SettingsError
from textsegment.geometry import Geometry

SPACINGS = [(1.0, 1.0, 1.0), (0.7, 0.7, 3.0), (2.0, 0.5, 1.25)]
# Oblique: turned about an axis that is none of the grid's.
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def grid(shape, spacing=(1, 1, 1), turn=None, origin=(-31.5, 12.25, 800.0)):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) @ np.diag(spacing)
    affine[:3, 3] = origin
    return Geometry(shape, affine)


def ball(geometry, radius_mm, shift_mm=(0, 0, 0)):
    centre = geometry.to_ras((np.array(geometry.spatial_shape) - 1) / 2) + shift_mm
    index = np.stack(np.indices(geometry.spatial_shape), axis=-1)
    return np.linalg.norm(geometry.to_ras(index) - centre, axis=-1) <= radius_mm


def box(shape, start, stop):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shifted_box_is_off_by_its_shift(spacing, axis):
    shape = (30, 30, 30)
    geometry = grid(shape, spacing)
    reference = box(shape, (8, 8, 8), (20, 20, 20))
    result = np.roll(reference, 2, axis=axis)
    shift_mm = 2 * spacing[axis]
    found = measure(result, reference, geometry, tolerance_mm=shift_mm)
    assert found.dice == pytest.approx(10 / 12)
    assert found.hausdorff_mm == pytest.approx(shift_mm)
    assert found.surface_dice == pytest.approx(1.0)  # at exactly the tolerance
    assert 0 < found.mean_surface_distance_mm < shift_mm
    below = measure(result, reference, geometry, tolerance_mm=shift_mm * 0.99)
    # The face that left the other box is beyond the tolerance, and the one that entered it, as far as the
    # sides of that box are not nearer.
    sides = [12 * spacing[a] for a in range(3) if a != axis]
    beyond = math.prod(sides) + math.prod(max(side - 2 * shift_mm, 0) for side in sides)
    lengths = [12 * size for size in spacing]
    whole = 2 * (lengths[0] * lengths[1] + lengths[1] * lengths[2] + lengths[0] * lengths[2])
    assert below.surface_dice == pytest.approx(1 - beyond / whole, abs=0.05)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_moved_face_is_off_by_its_way_and_no_other(spacing):
    """Half of the surface distances of a slab that grew at one side are zero."""
    shape = (40, 40, 12)
    geometry = grid(shape, spacing)
    reference = box(shape, (2, 2, 4), (38, 38, 6))
    result = box(shape, (2, 2, 4), (38, 38, 8))
    found = measure(result, reference, geometry)
    assert found.hausdorff_mm == pytest.approx(2 * spacing[2])
    assert found.hd95_mm == pytest.approx(2 * spacing[2])
    assert found.reference_ml == pytest.approx(36 * 36 * 2 * math.prod(spacing) / 1000)
    assert found.result_ml == pytest.approx(2 * found.reference_ml)


@pytest.mark.parametrize("turn", [None, TURN], ids=["straight", "oblique"])
@pytest.mark.parametrize("spacing", SPACINGS[:2])
def test_balls_of_different_radius(spacing, turn):
    shape = tuple(round(50 / s) for s in spacing)
    geometry = grid(shape, spacing, turn)
    small, large = ball(geometry, 16), ball(geometry, 20)
    found = measure(small, large, geometry, tolerance_mm=2.5)
    assert found.dice == pytest.approx(2 * 16**3 / (16**3 + 20**3), abs=0.01)
    assert found.reference_ml == pytest.approx(4 / 3 * math.pi * 20**3 / 1000, rel=0.01)
    voxel = max(spacing)
    assert found.mean_surface_distance_mm == pytest.approx(4, abs=0.25 * voxel)  # steps of voxels are rough
    assert 4 - voxel / 2 < found.hd95_mm < 4 + voxel / 2
    assert found.surface_dice < 0.01 * voxel**2
    assert measure(small, large, geometry, tolerance_mm=4 + voxel).surface_dice > 0.99


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_area_of_a_ball(spacing):
    geometry = grid(tuple(round(50 / s) for s in spacing), spacing)
    area = surface_of(ball(geometry, 20), geometry).area_mm2
    # Steps of voxels make a curved surface rough, the more so the longer they are.
    assert 1.0 < area / (4 * math.pi * 20**2) < 1.2


def test_surfaces_are_counted_by_area_and_not_by_voxels():
    """In voxels of 1×1×10 mm the short faces of a box are many elements of little area."""
    shape = (30, 30, 8)
    geometry = grid(shape, (1, 1, 10))
    one = surface_of(box(shape, (5, 5, 2), (25, 25, 6)), geometry)
    sides, caps = 4 * 20 * 40, 2 * 20 * 20
    assert one.area_mm2 == pytest.approx(sides + caps, rel=0.06)


def test_a_shear_counts_in_patient_space():
    affine = np.eye(4)
    affine[0, 2] = 0.5
    geometry = Geometry((20, 20, 20), affine)
    reference = box((20, 20, 20), (4, 4, 4), (12, 12, 12))
    assert measure(np.roll(reference, 3, axis=2), reference, geometry).hausdorff_mm == pytest.approx(
        3.0, abs=0.5
    )
    assert measure(np.roll(reference, 3, axis=0), reference, geometry).hausdorff_mm == pytest.approx(
        3 * 2 / math.sqrt(5), abs=0.35
    )  # across the slanted face


def test_masks_at_the_border_are_closed_there():
    whole = np.ones((6, 6, 6), dtype=bool)
    found = measure(whole, whole, grid((6, 6, 6)))
    assert (found.dice, found.surface_dice, found.hausdorff_mm) == (1, 1, 0)
    assert len(surface_of(whole, grid((6, 6, 6)))) > 0


@pytest.mark.parametrize(
    ("result", "reference", "expected"), [(False, False, 1.0), (True, False, 0.0), (False, True, 0.0)]
)
def test_empty_masks(result, reference, expected):
    full, empty = box((8, 8, 8), (2, 2, 2), (5, 5, 5)), np.zeros((8, 8, 8), dtype=bool)
    found = measure(full if result else empty, full if reference else empty, grid((8, 8, 8)))
    assert found.dice == found.surface_dice == expected
    assert math.isnan(found.hd95_mm)
    assert math.isnan(found.mean_surface_distance_mm)
    assert (found.added_path_length_mm > 0) == (reference and not result)


def test_added_path_length_is_the_contour_that_lacks():
    shape = (20, 20, 5)
    geometry = grid(shape, (0.5, 0.5, 3))
    reference = box(shape, (4, 4, 1), (14, 14, 4))
    around = (4 * 10 - 4) * 3 * 0.5
    assert added_path_length(np.zeros(shape, dtype=bool), reference, geometry) == pytest.approx(around)
    assert added_path_length(reference, reference, geometry) == 0
    shorter = reference.copy()
    shorter[:, :, 3] = False
    assert added_path_length(shorter, reference, geometry) == pytest.approx(around / 3)
    # The side that moved by one voxel is new, and so are the two ends that it left.
    moved = box(shape, (4, 4, 1), (13, 14, 4))
    assert added_path_length(moved, reference, geometry) == pytest.approx(10 * 3 * 0.5)


def test_added_path_length_is_taken_in_axial_slices_of_any_grid():
    shape = (20, 20, 5)
    reference = box(shape, (4, 4, 1), (14, 14, 4))
    geometry = grid(shape, (1, 1, 3))
    turned = Geometry((5, 20, 20), geometry.affine[:, [2, 0, 1, 3]])
    empty = np.zeros(shape, dtype=bool)
    assert added_path_length(empty, reference, geometry) == added_path_length(
        empty.transpose(2, 0, 1), reference.transpose(2, 0, 1), turned
    )


def monai_surface_dice(result, reference, spacing, tolerance):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.metrics import compute_surface_dice

        both = [torch.as_tensor(mask[None, None].astype(np.uint8)) for mask in (result, reference)]
        return float(
            compute_surface_dice(
                *both, [tolerance], include_background=True, spacing=spacing, use_subvoxels=True
            )
        )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_surface_dice_agrees_with_that_of_monai_where_surfaces_are_flat(axis):
    spacing = SPACINGS[1]
    geometry = grid((24, 24, 24), spacing)
    reference = box((24, 24, 24), (3, 4, 5), (17, 20, 15))
    result = np.roll(reference, 1, axis=axis)
    for tolerance in (0.5, 1.0, 3.5):
        ours = measure(result, reference, geometry, tolerance_mm=tolerance).surface_dice
        assert ours == pytest.approx(monai_surface_dice(result, reference, spacing, tolerance), abs=0.06)


def test_surface_dice_of_balls_is_right_where_that_of_monai_is_not():
    """Surfaces 1.5 mm apart agree nowhere within 1 mm; by the centres of cubes, half of them do."""
    geometry = grid((50, 50, 50))
    small, large = ball(geometry, 18.5), ball(geometry, 20)
    assert measure(small, large, geometry, tolerance_mm=1).surface_dice < 0.03
    assert monai_surface_dice(small, large, (1.0, 1.0, 1.0), 1.0) > 0.5


@given(st.integers(0, 2**27 - 1), st.integers(0, 2**27 - 1))
@settings(max_examples=40, deadline=None)
def test_any_two_masks(one, other):
    bits = [np.array([n >> b & 1 for b in range(27)], dtype=bool).reshape(3, 3, 3) for n in (one, other)]
    geometry = grid((3, 3, 3), (1, 2, 3))
    there, back = measure(*bits, geometry), measure(*reversed(bits), geometry)
    assert there.dice == back.dice == dice(*bits)
    assert 0 <= there.surface_dice <= 1
    assert there.surface_dice == pytest.approx(back.surface_dice)
    if bits[0].any() and bits[1].any():
        assert 0 <= there.hd95_mm <= there.hausdorff_mm
        assert there.mean_surface_distance_mm <= there.hausdorff_mm
        assert there.hd95_mm == back.hd95_mm
    same = measure(bits[0], bits[0], geometry)
    assert (same.dice, same.surface_dice) == (1, 1)


def test_surfaces_of_different_grids_can_be_compared():
    fine, coarse = grid((80, 80, 80), (0.5, 0.5, 0.5)), grid((40, 40, 40), origin=(-31.25, 12.5, 800.25))
    distances = surface_distances(surface_of(ball(fine, 14), fine), surface_of(ball(coarse, 14), coarse))
    assert distances.mean < 0.5


def test_other_shapes_and_tolerances_are_refused():
    mask = np.zeros((4, 4, 4), dtype=bool)
    with pytest.raises(GeometryError):
        measure(mask, mask[:3], grid((4, 4, 4)))
    for tolerance in (-1, math.nan, math.inf):
        with pytest.raises(SettingsError):
            measure(mask, mask, grid((4, 4, 4)), tolerance_mm=tolerance)
