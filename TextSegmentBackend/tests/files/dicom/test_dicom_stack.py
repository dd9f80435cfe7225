import numpy as np
import pytest
from made_scans import OBLIQUE, SHEARED

from textsegment.errors import GeometryError, VolumeInvalidError
from textsegment.files.dicom.stack import Plane, stack_planes

LPS = np.array([-1.0, -1.0, 1.0])


def planes_of(affine_ras, places, shape=(9, 8)):
    """Planes of a grid at fractional slice numbers."""
    spacing = np.linalg.norm(affine_ras[:3, :3], axis=0)
    i_lps, j_lps = (LPS[:, None] * affine_ras[:3, :2] / spacing[:2]).T
    return [
        Plane(
            LPS * (affine_ras @ [0, 0, k, 1])[:3], i_lps, j_lps, (spacing[0], spacing[1]), shape, spacing[2]
        )
        for k in places
    ]


@pytest.mark.parametrize("matrix", [OBLIQUE, SHEARED])
def test_shuffled_planes_make_their_grid(matrix):
    stack = stack_planes(planes_of(matrix, [3, 0, 4, 1, 2]))
    assert np.allclose(stack.geometry.affine, matrix, atol=1e-9)
    assert stack.geometry.spatial_shape == (9, 8, 5)
    assert stack.order.tolist() == [1, 3, 4, 0, 2]
    assert stack.lower.tolist() == [0, 1, 2, 3, 4]
    assert not stack.fraction.any()
    assert stack.warnings == ()


def test_planes_are_sorted_along_their_normal_even_if_the_grid_was_mirrored():
    mirrored = OBLIQUE @ np.diag([1, 1, -1, 1])
    stack = stack_planes(planes_of(mirrored, range(5)))
    assert np.linalg.det((np.diag([-1, -1, 1, 1]) @ stack.geometry.affine)[:3, :3]) > 0
    assert stack.order.tolist() == [4, 3, 2, 1, 0]
    assert np.allclose(stack.geometry.to_ras([0, 0, 0]), (mirrored @ [0, 0, 4, 1])[:3])


def test_rounded_positions_are_no_uneven_spacing():
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, 50)
    assert stack_planes(planes_of(OBLIQUE, np.arange(50) + jitter)).warnings == ()


def test_missing_planes_are_filled_in():
    stack = stack_planes(planes_of(OBLIQUE, [0, 1, 2, 5, 6, 7, 9]))
    assert stack.geometry.spatial_shape == (9, 8, 10)
    assert np.allclose(stack.geometry.affine, OBLIQUE, atol=1e-9)
    assert stack.lower.tolist() == [0, 1, 2, 2, 2, 3, 4, 5, 5, 6]
    assert np.allclose(stack.fraction, [0, 0, 0, 1 / 3, 2 / 3, 0, 0, 0, 0.5, 0])
    assert "3 were filled in" in stack.warnings[0]


def test_uneven_planes_are_resampled():
    places = np.array([0, 1, 2.3, 3.2, 4.45, 5.45])
    stack = stack_planes(planes_of(OBLIQUE, places))
    assert "unevenly" in stack.warnings[0]
    count = stack.geometry.spatial_shape[2]
    # Linear in the position, so interpolating the places must give equal steps.
    at = (1 - stack.fraction) * places[stack.lower] + stack.fraction * places[
        np.minimum(stack.lower + 1, len(places) - 1)
    ]
    assert np.allclose(np.diff(at), 5.45 / (count - 1), atol=1e-9)
    assert np.allclose(stack.geometry.to_ras([0, 0, count - 1]), (OBLIQUE @ [0, 0, 5.45, 1])[:3])


def test_wide_gap_is_refused():
    with pytest.raises(GeometryError, match="gap"):
        stack_planes(planes_of(OBLIQUE, [0, 1, 2, 3, 60, 61, 62, 63]))


def test_several_planes_at_one_place_are_refused():
    with pytest.raises(VolumeInvalidError, match="same place"):
        stack_planes(planes_of(OBLIQUE, [0, 1, 2, 0, 1, 2]))


def test_irregular_sideways_shift_is_refused():
    planes = planes_of(OBLIQUE, range(5))
    planes[2].position_lps[:] += planes[2].i_lps * 3
    with pytest.raises(GeometryError, match="sideways"):
        stack_planes(planes)


def test_mixed_directions_and_sizes_are_refused():
    with pytest.raises(GeometryError, match="directions"):
        stack_planes(planes_of(OBLIQUE, range(3)) + planes_of(SHEARED, range(3)))
    with pytest.raises(GeometryError, match="sizes"):
        stack_planes(planes_of(OBLIQUE, range(3)) + planes_of(OBLIQUE, [3, 4], shape=(9, 7)))


def test_single_plane_needs_a_thickness():
    (plane,) = planes_of(OBLIQUE, [0])
    assert np.allclose(stack_planes([plane]).geometry.affine, OBLIQUE)
    with pytest.raises(GeometryError, match="thick"):
        stack_planes([Plane(plane.position_lps, plane.i_lps, plane.j_lps, plane.spacing, plane.shape, None)])
